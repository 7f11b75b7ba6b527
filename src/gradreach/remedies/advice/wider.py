"""More hidden units."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str, hidden: int) -> str:
    return f"hidden_size = {2 * hidden}  # of `{expression(module)}`, now {hidden}"


WIDER = Advice(
    id="wider",
    does="room for what the task asks to be kept; four times the recurrent weights",
    code=_code,
    answers=("GR403",),
    unfit="Where the model learns by heart what it has seen already.",
)
