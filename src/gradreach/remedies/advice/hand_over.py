"""Hand all parameters to the optimizer."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(root: str) -> str:
    return f"optimizer = type(optimizer)({expression(root)}.parameters(), lr=1e-3)  # after the model is whole"


HAND_OVER = Advice(
    id="hand-over",
    does="an optimizer moves what it was given, and nothing that was made or put in later",
    code=_code,
    answers=("GR309",),
    unfit="Where the part is meant to stay as it is: freeze it.",
)
