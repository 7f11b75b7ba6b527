"""The figures along the modules: what is exactly 0 is seen, what is not finite is written, names stand beside."""

import re
from dataclasses import replace
from xml.etree import ElementTree

from gradreach.report.charts.along_depth import FEW, ROWS, depth_figures, overview
from tests.records.parts import NAN, chain, depth_look


def test_a_gradient_and_an_update_of_exactly_0_are_drawn_hollow_beside_the_axis() -> None:
    first, *rest = chain(4)
    looks = (replace(first, grad_rms=0.0, update_ratio=0.0), *rest)
    (figure,) = depth_figures(looks, 70)
    assert figure.svg.count('class="dot s0 zero"') == figure.svg.count('class="dot s3 zero"') == 1
    assert "<title>update ratio ‖Δw‖/‖w‖ of model.0: 0</title>" in figure.svg
    assert ("exactly 0", "dots zero") in figure.legend
    assert "At step 70" in figure.caption
    (sound,) = depth_figures(chain(4), 70)
    assert "zero" not in sound.svg


def test_rows_are_named_once_and_the_narrow_drawing_holds_the_same_points() -> None:
    (figure,) = depth_figures(chain(20), 3)
    for name in ("model.0", "model.38"):
        assert figure.svg.count(f">{name}</text>") == 1
    assert len(re.findall("<circle", figure.narrow)) == len(re.findall("<circle", figure.svg)) == 3 * 21
    for drawn in re.findall(r"<svg.*?</svg>", figure.svg + figure.narrow, re.DOTALL):
        ElementTree.fromstring(drawn)


def test_what_is_not_finite_is_written() -> None:
    first, *rest = chain(4)
    (figure,) = depth_figures((replace(first, grad_rms=NAN), *rest), 3)
    assert ">NaN</text>" in figure.svg


def test_many_modules_are_curves_with_names_at_their_ticks() -> None:
    gradient, updates = depth_figures(chain(ROWS), 3)
    assert (gradient.title, updates.title) == ("Gradient along the depth", "Updates along the depth")
    assert ">model.0</text>" in gradient.svg
    assert '"model.0"' in gradient.data


def test_the_overview_is_rows_where_they_are_few_and_else_a_curve() -> None:
    few, many = overview(chain(FEW - 1), 3, 520, 210), overview(chain(FEW), 3, 520, 210)
    assert few is not None
    assert many is not None
    assert (few.data, bool(many.data)) == ("", True)
    first, *rest = chain(FEW)
    cut = overview((replace(first, grad_rms=0.0), *rest), 3, 520, 210)
    assert cut is not None
    assert "Exactly 0, and so not drawn: 1 module, the first of them model.0." in cut.caption
    assert overview((depth_look("a", "Linear", 0, 0.0), depth_look("b", "Linear", 1, 0.0)), 3, 520, 210) is None
