"""Targets of a binary cross entropy between 0 and 1."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

TARGETS_AS_SHARES = Advice(
    id="targets-as-shares",
    does="between 0 and 1 the loss is least where the output says what the target says",
    code=lambda: (
        "y = (y - low) / (high - low)  # low and high of all targets: bytes by 255, labels of -1 and 1 to 0 and 1"
    ),
    answers=("GR606",),
    unfit="Where the targets are no probabilities: take a squared error.",
)
