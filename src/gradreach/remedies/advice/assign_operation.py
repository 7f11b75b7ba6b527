"""Keep what an operation makes, in place of what it was given."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

ASSIGN_OPERATION = Advice(
    id="assign-operation",
    does="what follows goes on with what the operation made",
    code=lambda line, subject: f"{subject} = {line}" if subject else f"y = {line}  # and go on with y",
    answers=("GR315",),
    unfit="Where the line is there to be timed, or to raise where shapes do not fit: take it out of the forward pass.",
)
