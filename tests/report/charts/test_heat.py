"""The heat map of reach: cells where they belong, colours even to the eye, and small enough."""

import math
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

import gradreach.report
from gradreach.report.charts.heat import LEVELS, MOST_COLUMNS, MOST_ROWS, heat, ramp, sheet

SVG = "{http://www.w3.org/2000/svg}"


def triangle(T: int, rate: float = -0.2) -> list[list[float | None]]:
    return [[rate * (t - k) if k <= t else None for k in range(T)] for t in range(T)]


def tips(drawn: str) -> list[str]:
    return re.findall(r"<title>(t [^<]*)</title>", drawn)


def lightness(colour: str) -> float:
    """L of Oklab."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    long = 0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b
    middle = 0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b
    short = 0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b
    return 0.2104542553 * long ** (1 / 3) + 0.7936177850 * middle ** (1 / 3) - 0.0040720468 * short ** (1 / 3)


def test_every_cell_of_the_lower_triangle_is_told() -> None:
    drawn = heat("Reach map", triangle(8), range(8), range(8))
    assert len(tips(drawn)) == 36
    assert "t 7, k 0: 0.04" in tips(drawn)
    assert "t 3, k 3: 1" in tips(drawn)
    ElementTree.fromstring(drawn)


def test_the_largest_value_has_the_last_colour_and_what_is_far_below_the_first() -> None:
    drawn = heat("m", [[-30.0, -9.0, 0.0]], [2], [0, 1, 2])
    groups = dict(re.findall(r'<g class="cell (h\d+)".*?<title>(t [^<]*)</title>', drawn))
    assert groups == {"h0": "t 2, k 0: 1.0e-30", f"h{LEVELS - 1}": "t 2, k 2: 1"}


@pytest.mark.parametrize("nothing", [None, math.nan, -math.inf, math.inf])
def test_what_is_not_finite_stays_blank(nothing: float | None) -> None:
    assert len(tips(heat("m", [[nothing, 0.0]], [1], [0, 1]))) == 1
    assert heat("m", [[nothing, nothing]], [1], [0, 1]) == ""


def test_no_map_no_figure() -> None:
    assert heat("m", (), (), ()) == ""


def test_rows_stand_in_order_of_time_whatever_order_they_come_in() -> None:
    shape = r"M[\d.]+ ([\d.]+)H[^>]*><title>t (\d+),"
    drawn = heat("m", [[0.0], [-1.0], [-2.0]], [5, 3, 4], [0])
    tops = {int(t): float(top) for top, t in re.findall(shape, drawn)}
    assert tops[3] < tops[4] < tops[5]


@pytest.mark.parametrize("T", [1, 2, 45, 100, 784])
def test_a_map_stays_under_sixty_kilobytes(T: int) -> None:
    drawn = heat("Reach map of model.encoder.rnn layer 0", triangle(T, -0.001), range(T), range(T))
    assert len(drawn.encode()) <= 60_000
    assert len({tip.split(",")[0] for tip in tips(drawn)}) <= MOST_ROWS
    assert len({tip.split(" ")[3] for tip in tips(drawn)}) <= MOST_COLUMNS
    full = [[-0.001 * (t + k) for k in range(T)] for t in range(T)]
    assert len(heat("m", full, range(10**6, 10**6 + T), range(T)).encode()) <= 60_000


def test_columns_stand_at_their_steps() -> None:
    drawn = heat("m", [[-1.0, -1.0, 0.0]], [100], [0, 50, 100])
    edges = sorted(float(x) for x in re.findall(r'd="M([\d.]+) [\d.]+H[\d.]+v', drawn))
    assert edges[1] - edges[0] == pytest.approx((edges[2] - edges[1]) / 2, rel=0.05)


def test_the_colours_are_evenly_spaced_to_the_eye() -> None:
    dark = re.findall(r"#[0-9a-f]{6}", sheet())
    for colours in (ramp(), dark):
        assert len(set(colours)) == LEVELS
        steps = [b - a for a, b in pairwise(map(lightness, colours))]
        assert max(steps) < 0 or min(steps) > 0
        assert max(map(abs, steps)) < 1.5 * min(map(abs, steps))


def test_the_page_has_the_colours_for_dark() -> None:
    css = Path(gradreach.report.__file__).with_name("templates") / "report.css"
    assert sheet() in css.read_text(encoding="utf-8")


def test_a_hostile_title_is_only_text() -> None:
    drawn = heat('<script>"\x1b', [[0.0]], [0], [0])
    assert "<script>" not in drawn
    ElementTree.fromstring(drawn)


def test_no_label_of_the_colour_scale_is_cut() -> None:
    drawn = heat("map", [[0.0, -3.0, -9.0], [-1.0, -2.0, -12.0]], [0, 1], [0, 1, 2])
    for each in ElementTree.fromstring(drawn).iter("text"):
        wide = 7 * len(each.text or "")
        right = {"start": wide, "middle": wide / 2, "end": 0}[each.attrib["text-anchor"]]
        assert float(each.attrib["x"]) + right <= 460
