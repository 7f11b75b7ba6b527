"""Scales, ticks, paths and plots."""

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradreach.report.charts.chart import Frame, Line, Mark, Scale, path, plot, short_name, span, thinned, ticks
from gradreach.report.charts.figures import figure_of

FRAME = Frame("norms", "step", "norm")


def test_scale_maps_ends_and_middle() -> None:
    linear, log = Scale(0, 10, 100, 200), Scale(1e-2, 1e2, 100, 200, log=True)
    assert [linear.at(v) for v in (0, 5, 10)] == [100, 150, 200]
    assert [log.at(v) for v in (1e-2, 1, 1e2)] == pytest.approx([100, 150, 200])
    assert log.at(1e-9) == 100
    assert linear.at(99) == 200


@pytest.mark.parametrize(
    ("low", "high", "log", "expected"),
    [
        (0, 10, False, [0, 2, 4, 6, 8, 10]),
        (-1, 1, False, [-1, -0.5, 0, 0.5, 1]),
        (0.1, 100, True, [0.1, 1, 10, 100]),
        (1e-12, 1, True, [1e-12, 1e-9, 1e-6, 1e-3, 1]),
    ],
)
def test_ticks_are_round(low: float, high: float, log: bool, expected: list[float]) -> None:
    assert ticks(low, high, log, 5) == pytest.approx(expected)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 9))
def test_ticks_lie_within_and_are_few(low: float, width: float, most: int) -> None:
    found = ticks(low, low + width, False, most)
    assert len(found) <= most + 1
    slack = 1e-6 * max(abs(low), width)
    assert all(low - slack <= tick <= low + width + slack for tick in found)


@given(st.lists(st.none() | st.floats(), max_size=40), st.booleans())
def test_span_is_never_empty(values: list[float | None], log: bool) -> None:
    low, high = span(values, log)
    assert low < high
    assert not log or low > 0


def test_path_breaks_where_nothing_is_known() -> None:
    x, y = Scale(0, 4, 0, 4), Scale(0, 4, 4, 0)
    assert path([(0, 0.0), (1, 1.0), (2, None), (3, math.nan), (4, 4.0)], x, y) == "M0 4L1 3M4 0"


def test_path_breaks_at_zero_on_a_log_axis() -> None:
    assert path([(0, 1.0), (1, 0.0), (2, 10.0)], Scale(0, 2, 0, 2), Scale(1, 10, 1, 0, log=True)) == "M0 1M2 0"


def test_thinned_keeps_the_spike() -> None:
    points = [(i, 1.0) for i in range(10_000)]
    points[6_789] = (6_789, 500.0)
    kept = thinned(points, 100)
    assert len(kept) <= 100
    assert (6_789, 500.0) in kept


def test_plot_is_well_formed_whatever_the_names() -> None:
    hostile = "\"><script>&'</text>"
    drawn = plot(
        Frame(hostile, hostile, hostile, log=True),
        [Line(hostile, [(0, 1.0), (1, 10.0)])],
        [Mark(hostile, x=1, word=hostile), Mark(hostile, y=2.0, word=hostile), Mark(hostile, x=1, y=2.0)],
    )
    root = ElementTree.fromstring(drawn)
    assert root.attrib["aria-label"] == hostile
    assert {element.tag for element in root.iter()} <= {"svg", "g", "path", "text", "title", "circle"}
    assert "script" not in {element.tag for element in root.iter()}


def test_plot_of_nothing_finite_is_empty() -> None:
    assert plot(FRAME, [Line("a", [(0, math.nan), (1, None)])]) == ""


@given(st.lists(st.floats(width=32) | st.none(), min_size=1, max_size=60), st.booleans())
def test_plot_holds_only_numbers_in_its_paths(series: list[float | None], log: bool) -> None:
    drawn = plot(Frame("t", "x", "y", log=log), [Line("a", list(enumerate(series)))])
    if drawn:
        for element in ElementTree.fromstring(drawn).iter("path"):
            assert "nan" not in element.attrib["d"]
            assert "inf" not in element.attrib["d"]


def test_words_of_rules_stand_where_no_curve_runs() -> None:
    marks = [
        Mark("a", x=3, word="horizon 3"),
        Mark("b", x=5, until=8, word="depends", row=1),
        Mark("c", y=2.0, word="2"),
    ]
    drawn = plot(FRAME, [Line("a", [(i, float(i)) for i in range(10)])], marks)
    words = {each.text: float(each.attrib["y"]) for each in ElementTree.fromstring(drawn).iter("text")}
    top = min(float(y) for y in re.findall(r'class="grid" d="M[\d.]+ ([\d.]+)H', drawn))
    assert words["horizon 3"] < words["depends"] < top - 10
    assert 'class="label">2<' not in drawn
    figure = figure_of(FRAME, [Line("a", [(0, 1.0), (1, 2.0)])], marks, "")
    assert figure is not None
    assert figure.legend == (("a", "s0"), ("2", "limit"))


def test_names_at_ticks_fit_within_the_plot() -> None:
    names = tuple(f"encoder.block.{i}.projection" for i in range(9))
    drawn = plot(replace(FRAME, names=names), [Line("a", [(i, 1.0) for i in range(9)])])
    shown = [
        (float(e.attrib["x"]), e.text or "")
        for e in ElementTree.fromstring(drawn).iter("text")
        if "…" in (e.text or "")
    ]
    assert shown
    for at, name in shown:
        assert at + 3.4 * len(name) <= FRAME.width
    assert short_name("net.0") == "net.0"
    assert short_name("net.blocks.10.attn.q") == "…10.attn.q"


def test_a_curve_ends_where_it_goes_under_the_axis() -> None:
    y = Scale(1, 100, 100, 0, log=True)
    falling = [(0, 100.0), (1, 1.0), (2, 0.1), (3, 0.01), (4, 0.001), (5, 10.0)]
    assert path(falling, Scale(0, 5, 0, 5), y) == "M0 0L1 100L2 100M5 50"
