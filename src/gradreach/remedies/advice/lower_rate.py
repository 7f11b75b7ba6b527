"""Divide the learning rate."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import times

FROM_START = "the norm grew from the first steps on: the rate, or what a momentum makes of it, is too high"
"""Why, where there never was an ordinary norm to clip at."""


def divided(by: float) -> str:
    """The rate divided by so much, or by as much as may be foretold."""
    return f"lr = lr / {times(by)}  # and again, while the loss jumps"


LOWER_RATE = Advice(
    id="lower-rate",
    does="brings the update near a thousandth of the weights",
    code=divided,
    answers=("GR301", "GR304", "GR305"),
    unfit="Where single bad batches do the harm: clip, or skip them.",
)
