"""Detach a state between chunks of a sequence, not between its steps."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str) -> str:
    return (
        f"for t in range(T): h = {expression(module)}(x[:, t], h)  # no detach in here\n"
        "h = h.detach()  # after the chunk's backward(), before the next chunk"
    )


DETACH_BETWEEN = Advice(
    id="detach-between",
    does="the gradient goes back over the whole chunk, and no further",
    code=_code,
    answers=("GR106",),
    unfit="Where each step is to learn from its own input alone.",
)
