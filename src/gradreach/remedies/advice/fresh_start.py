"""Start a layer anew, by torch's own rule."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str) -> str:
    return f"{expression(module)}.reset_parameters()  # before training, in place of its own start"


FRESH_START = Advice(
    id="fresh-start",
    does="units that were off before the first step had a start that no gradient gets them out of",
    code=_code,
    answers=("GR204",),
    unfit="For weights that were trained already, and for units that died in training.",
)
