"""Divide the learning rate."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def divided(by: str) -> str:
    """The rate divided by so much."""
    return f"lr = lr / {by}"


LOWER_RATE = Advice(
    id="lower-rate",
    does="brings the update near a thousandth of the weights",
    code=divided,
    answers=("GR301", "GR304", "GR305"),
    unfit="Where single bad batches do the harm: clip, or skip them.",
)
