"""Multiply the learning rate."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import times


def _code(by: float) -> str:
    return f"lr = lr * {times(by)}  # and again, while the loss neither falls nor jumps"


RAISE_RATE = Advice(
    id="raise-rate",
    does="brings the update near a thousandth of the weights",
    code=_code,
    answers=("GR303", "GR305", "GR309", "GR403"),
    unfit="Where the loss jumps already.",
)
