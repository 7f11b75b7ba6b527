"""Pages stay small: a typical run's under a megabyte, and no run's over three."""

from dataclasses import replace
from pathlib import Path

import pytest

from gradreach.record.look import Look
from gradreach.record.schema import Record
from gradreach.report.html import assets
from gradreach.report.page import LARGEST
from gradreach.report.panels.method import CUT
from tests.records.parts import dependency, depth_look, free, time_look
from tests.records.runs import ALL
from tests.report.reports import report_of


def vast(layers: int = 24, modules: int = 20_000, sites: int = 1) -> Record:
    """Long recurrences, very many modules, and every lag asked for at each of them."""
    name = "encoder.block.{}.recurrent".format
    time = tuple(time_look(name(i), factor=0.999 - i / 10_000, T=2000) for i in range(layers))
    depth = tuple(depth_look(f"encoder.block.{i // 4}.projection.{i}", "Linear", i) for i in range(modules))
    return replace(
        ALL["healthy"],
        looks=tuple(Look(site, site, 0.1, time, depth) for site in range(sites)),
        sites=tuple(f"train.py:{site}" for site in range(sites)),
        dependency=tuple(dependency(*(free(j) for j in range(1, 100)), module=name(i), T=2000) for i in range(layers)),
    )


@pytest.mark.slow(14, "draws a page of twenty thousand modules, again and again until it fits")
def test_no_page_is_larger_than_three_megabytes() -> None:
    page = report_of(vast()).to_html()
    assert len(page.encode()) <= LARGEST <= 3_000_000
    assert page.count("<canvas") == 0
    assert page.count('type="application/json"') >= 10


def test_a_page_that_had_to_be_cut_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = report_of(ALL["gan"]).to_html()
    assert CUT not in whole
    monkeypatch.setattr("gradreach.report.page.LARGEST", len(whole.encode()) - 1)
    cut = report_of(ALL["gan"]).to_html()
    assert CUT in cut
    assert len(cut.encode()) < len(whole.encode())


def test_the_vendored_chart_library_goes_with_its_licence() -> None:
    shared = assets()
    for part in (shared.style, shared.script):
        assert "The MIT License (MIT)" in part
        assert "Copyright (c) 2022 Leon Sorokin" in part
    assert "</script" not in shared.script
    assert "<!--" not in shared.script
    assert "innerHTML" not in shared.script
    assert "innerHTML" not in Path(__file__).parents[2].joinpath("src/gradreach/report/templates/charts.js").read_text()


def test_pages_of_other_kinds_add_their_own_and_keep_the_policy() -> None:
    other = assets(scripts=())
    assert other.policy != assets().policy
    assert other.style == assets().style
    assert other.policy.startswith("default-src 'none'; style-src 'sha256-")
