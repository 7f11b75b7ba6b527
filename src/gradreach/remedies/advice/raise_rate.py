"""Multiply the learning rate."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(by: str) -> str:
    return f"lr = lr * {by}"


RAISE_RATE = Advice(
    id="raise-rate",
    does="brings the update near a thousandth of the weights",
    code=_code,
    answers=("GR303", "GR305", "GR403"),
    unfit="Where the loss jumps already.",
)
