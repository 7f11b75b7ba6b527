"""Say that a part is meant to stay as it is."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(part: str) -> str:
    return f"{expression(part)}.requires_grad_(False)"


FREEZE = Advice(
    id="freeze",
    does="says that it is meant to stay as it is",
    code=_code,
    answers=("GR306", "GR309", "GR505"),
    unfit="Where the part should learn: connect it.",
)
