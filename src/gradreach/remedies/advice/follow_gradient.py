"""Print what gradient arrives at a module."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str) -> str:
    return (
        f"{expression(module)}.register_full_backward_hook(lambda m, before, after: print(after[0].abs().max()))"
        "  # then behind it, until it is no longer 0"
    )


FOLLOW_GRADIENT = Advice(
    id="follow-gradient",
    does="shows the gradient that arrives there, so that the operation at which it ends is found by halving",
    code=_code,
    answers=("GR307",),
    unfit="Where the operation is known.",
)
