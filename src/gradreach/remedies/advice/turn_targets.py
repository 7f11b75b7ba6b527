"""Targets with the same axis first as the outputs."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

TURN_TARGETS = Advice(
    id="turn-targets",
    does="each output then meets the target of its own place",
    code=lambda: "loss = criterion(output.flatten(0, 1), target.t().flatten())  # both with the same axis first",
    answers=("GR712",),
    unfit="Where the output is what lies the other way round: output.transpose(0, 1) then, and the target as it is.",
)
