"""The one figure under the verdict is the one that shows it, and stands nowhere else."""

import re
from dataclasses import replace

import pytest

from gradreach.record.schema import Finding
from gradreach.report.key_figure import drawn, key_figure
from gradreach.report.page import render
from tests.records.findings import BROKEN, CLIPPED, VANISHING
from tests.records.parts import at, chain
from tests.records.runs import ALL
from tests.report.reports import conclusions_of, judged_page

DEPTH = Finding("GR201", "error", "t", {"site": "train.py:12"}, {}, "b")


@pytest.mark.parametrize(
    ("name", "finding", "title"),
    [
        ("vanishing", replace(VANISHING, severity="error"), "Reach curve of rnn layer 0"),
        ("vanishing", replace(VANISHING, severity="error", where={"module": "rnn", "layer": 1, "direction": "forward"}),
         "Reach curve of rnn layer 1"),
        ("vanishing", VANISHING, "Loss by step"),
        ("vanishing", CLIPPED, "Global gradient norm by step"),
        ("asked", replace(VANISHING, code="GR402", severity="error", where={"module": "rnn"}),
         "Reach curve of rnn layer 0"),
        ("probed", replace(VANISHING, code="GR402", severity="error", where={"module": "model.head"}),
         "Reach curve of model.head"),
        ("deep", DEPTH, "How the gradient gets through the depth"),
        ("broken", BROKEN, "Global gradient norm by step"),
        ("deep", replace(VANISHING, severity="error"), "Global gradient norm by step"),
        ("deep", replace(DEPTH, code="ZZ900"), "Loss by step"),
        ("healthy", None, "Loss by step"),
    ],
)  # fmt: skip
def test_the_figure_shows_the_verdict(name: str, finding: Finding | None, title: str) -> None:
    made = conclusions_of(ALL[name], (finding,) if finding is not None else ())
    key = key_figure(made)
    assert key is not None
    figure = drawn(made, key)
    assert figure is not None
    assert figure.title == title
    assert re.findall(r'<p class="chart-title">(.*?)</p>', render(made)).count(title) == 1


def test_a_run_without_steps_has_none() -> None:
    assert key_figure(conclusions_of(ALL["empty"])) is None


def test_without_a_gradient_the_depth_shows_nothing() -> None:
    silent = replace(ALL["deep"], looks=at(*chain(3, grad_rms=0.0), count=3))
    key = key_figure(conclusions_of(silent, (DEPTH,)))
    assert key is not None
    assert key.kind == "norm"


def test_the_bands_of_what_the_data_asks_for_are_in_it() -> None:
    text = judged_page("asked")
    assert text.index('class="band lost"') < text.index('id="findings"')
