"""Cards on a terminal: within its width, in ASCII where it knows no more, without escape codes where it is none."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from gradreach.record.schema import Finding
from tests.records.findings import BROKEN, VANISHING
from tests.report.charts.test_notebook_card import EVERY_ROW, FORMULA, NAMED_BADLY


def printed(thing: object, width: int = 100, encoding: str = "utf-8", **console: object) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    Console(file=stream, width=width, **console).print(thing)  # type: ignore[arg-type]
    stream.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize("finding", [EVERY_ROW, VANISHING, BROKEN, NAMED_BADLY])
def test_a_finding_fits(finding: Finding, width: int, encoding: str) -> None:
    text = printed(finding, width, encoding)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text


def test_a_finding_has_its_rows_in_order() -> None:
    lines = [line.strip() for line in printed(EVERY_ROW).splitlines()]
    assert lines == [
        "warning GR303 clipping threshold far too low  main.py:180",
        "evidence threshold 0.25, clip rate 100 %, norm median 1.1",
        f"formula  {FORMULA}",
        "because  The threshold 0.25 lies under 100 % of the norms.",
        "do       clip_grad_norm_(model.parameters(), 3.0)",
        "It acts on spikes alone.",
        "more     gradreach explain GR303",
    ]


def test_without_a_formula_there_is_no_such_row() -> None:
    assert "formula" not in printed(replace(EVERY_ROW, formula=""))


def test_ascii_spells_the_symbols() -> None:
    assert "||g|| > 0.25" in printed(EVERY_ROW, encoding="ascii")
    assert "?" not in printed(VANISHING, encoding="ascii")


def test_a_long_place_has_a_line_of_its_own() -> None:
    lines = printed(replace(EVERY_ROW, where={"module": "encoder." * 10}), 80).splitlines()
    assert lines[0].rstrip() == "warning GR303 clipping threshold far too low"
    assert lines[1].strip() == f"`{'encoder.' * 10}`"[:72]


def test_markup_in_names_is_text() -> None:
    assert "[bold red]" in printed(replace(EVERY_ROW, title="[bold red]x"), force_terminal=True, color_system=None)
