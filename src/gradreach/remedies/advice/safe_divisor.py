"""Keep a divisor away from 0."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def away_from_zero(least: str = "1e-8") -> str:
    """A division by what is at least this much."""
    signed = "of either sign: torch.where(b.abs() < 1e-8, 1e-8, b)"
    return f"a / b.clamp(min={least})  # a count: b.clamp(min=1); {signed}"


SAFE_DIVISOR = Advice(
    id="safe-divisor",
    does="a quotient by 0 is NaN or infinite, and its slope with it",
    code=away_from_zero,
    answers=("GR301",),
    unfit="Where a divisor of 0 means that there is nothing to divide: leave the term out.",
)
