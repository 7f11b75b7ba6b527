"""A claim: what is said, the number that theory or a paper gives, the number measured, and how far they may differ."""

from __future__ import annotations

from msgspec import Struct


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
        """False where the measured number is outside the range, or is no number."""
        above = self.low is None or self.measured >= self.low
        below = self.high is None or self.measured <= self.high
        return above and below and self.measured == self.measured


def equal(says: str, predicted: float, measured: float, tolerance: float, why: str, unit: str = "") -> Claim:
    """They differ by at most `tolerance`, in the same unit."""
    return Claim(says, predicted, measured, predicted - tolerance, predicted + tolerance, why, unit)


def at_most(says: str, measured: float, bound: float, why: str, unit: str = "") -> Claim:
    """Theory gives an upper bound, which is the prediction."""
    return Claim(says, bound, measured, None, bound, why, unit)


def at_least(says: str, measured: float, bound: float, why: str, unit: str = "") -> Claim:
    """Theory gives a lower bound, which is the prediction."""
    return Claim(says, bound, measured, bound, None, why, unit)
