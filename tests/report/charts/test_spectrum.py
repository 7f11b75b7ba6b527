"""The spectrum of a layer: its exponents where they stand, and in words."""

import re
from xml.etree import ElementTree

import pytest

from gradreach.report.charts.spectrum import spectrum_figure, told
from tests.records.parts import time_look


@pytest.mark.parametrize(
    ("largest", "words"),
    [
        (-0.31, "Largest exponent −0.31: the state forgets, a change of the state is multiplied by e^−0.31 = 0.733 a "
         "step, and shrinks to 1 % within 15 steps. 45 steps count: those past the first quarter of the way back from "
         "the last step."),
        (0.2, "the state is chaotic, a change of the state is multiplied by e^0.2 = 1.22 a step."),
        (0.001, "the state neither forgets nor explodes"),
    ],
)  # fmt: skip
def test_the_largest_exponent_is_told(largest: float, words: str) -> None:
    assert words in told(time_look(lyapunov=(largest, largest - 0.5)))


def test_what_the_weights_alone_allow_stands_beside_it() -> None:
    drawn = spectrum_figure(time_look(lyapunov=(-0.31, -0.5), rho=0.9, bound_factor=1.2))
    assert drawn is not None
    ElementTree.fromstring(drawn.svg)
    assert drawn.caption.endswith("W_hh alone: ln ρ = −0.11, ln γλ = 0.18.")
    places = [float(x) for x in re.findall(r'<circle class="dot s0" cx="([\d.]+)"', drawn.svg)]
    rules = [float(x) for x in re.findall(r'<path class="(?:axis|limit|horizon)" d="M([\d.]+)', drawn.svg)]
    assert len(places) == 2
    assert places == sorted(places, reverse=True)
    assert rules == sorted(rules)  # ln ρ, 0, ln γλ
    assert max(places) < min(rules)


def test_a_gated_layer_has_exponents_alone() -> None:
    gated = spectrum_figure(time_look(lyapunov=(-0.1,), rho=None, bound_factor=None))
    assert gated is not None
    assert "W_hh" not in gated.caption
    assert "ln" not in re.sub(r"<title>.*?</title>", "", gated.svg)


def test_nothing_where_none_was_recorded() -> None:
    assert spectrum_figure(time_look(lyapunov=())) is None
    assert told(time_look(lyapunov=())) == ""


def test_an_exponent_past_any_float_is_still_drawn() -> None:
    assert spectrum_figure(time_look(lyapunov=(900.0, -900.0), rho=0.0, bound_factor=1e308)) is not None
