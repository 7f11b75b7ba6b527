"""A claim holds inside its range and nowhere else."""

import math

import pytest

from gradreach.experiments import claim_text
from gradreach.experiments.claim import Claim, at_least, at_most, equal


@pytest.mark.parametrize(
    ("measured", "low", "high", "holds"),
    [
        (1.0, 0.5, 1.5, True),
        (0.4, 0.5, 1.5, False),
        (1.6, 0.5, 1.5, False),
        (1.6, 0.5, None, True),
        (0.4, None, 1.5, True),
        (math.nan, None, None, False),
        (math.nan, None, 1.0, False),
        (math.inf, None, 1.0, False),
    ],
)
def test_holds(measured: float, low: float | None, high: float | None, holds: bool) -> None:
    assert Claim("", None, measured, low, high, "").holds is holds


def test_the_three_kinds() -> None:
    assert equal("", 2.0, 2.1, 0.2, "").holds
    assert not equal("", 2.0, 2.3, 0.2, "").holds
    assert at_most("", 1.0, 1.0, "").holds
    assert not at_most("", 1.1, 1.0, "").holds
    assert at_least("", 1.0, 1.0, "").holds
    assert not at_least("", 0.9, 1.0, "").holds


def test_a_claim_that_fails_says_so_in_words() -> None:
    said = claim_text.line(at_most("the norm", 2.0, 1.0, "the bound", "nats"))
    assert said == "DOES NOT HOLD: the norm: measured 2 nats, predicted 1 nats (≤ 1: the bound)"
    assert claim_text.line(at_least("x", 2.0, -1e-7, "why")).startswith(
        "holds: x: measured 2, predicted −1e−7 (≥ −1e−7"
    )
