"""The axis that a softmax runs over."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str, kind: str, operation: str) -> str:
    if kind in ("Softmax", "LogSoftmax"):
        return f"{expression(module)}.dim = -1"
    place = f"in the forward of `{module}`" if module else "where the script calls it"
    return f"torch.nn.functional.{operation}(scores, dim=-1)  # {place}"


SOFTMAX_AXIS = Advice(
    id="softmax-axis",
    does="shares 1 among the classes, or the places, of one sample; mostly these are the last axis",
    code=_code,
    answers=("GR706",),
    unfit="Where the samples of a batch are to compete with one another.",
)
