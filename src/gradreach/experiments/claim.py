"""A claim: what is said, the number predicted, the number measured, and how far they may differ."""

from __future__ import annotations

from msgspec import Struct

ROUNDOFF = 2.0**-53
"""u of float64, half the distance from 1 to the next number: the relative error of one rounding."""


class Claim(Struct, frozen=True):
    """`measured` beside `predicted`, in `unit`. It holds where `low` ≤ measured ≤ `high`; `why` derives this range.

    A bound of None is open. `predicted` is None where theory gives only the range. A published figure that was got at
    other sizes stands in `published`, in words with its source: it is shown, and asserts nothing.

    >>> Claim("tanh′ is at most 1", 1.0, 0.97, 0.0, 1.0, "γ of tanh").holds
    True
    """

    says: str
    predicted: float | None
    measured: float
    low: float | None
    high: float | None
    why: str
    unit: str = ""
    published: str = ""

    @property
    def holds(self) -> bool:
        """Whether the measured number lies in the range; NaN never does."""
        above = self.low is None or self.measured >= self.low
        below = self.high is None or self.measured <= self.high
        return above and below and self.measured == self.measured


def equal(says: str, predicted: float, measured: float, tolerance: float, why: str, unit: str = "") -> Claim:
    """Claim that both differ by at most `tolerance`, in the same unit."""
    return Claim(says, predicted, measured, predicted - tolerance, predicted + tolerance, why, unit)


def at_most(says: str, measured: float, bound: float, why: str, unit: str = "") -> Claim:
    """Claim an upper bound that theory gives, which is the prediction."""
    return Claim(says, bound, measured, None, bound, why, unit)


def at_least(says: str, measured: float, bound: float, why: str, unit: str = "") -> Claim:
    """Claim a lower bound that theory gives, which is the prediction."""
    return Claim(says, bound, measured, bound, None, why, unit)
