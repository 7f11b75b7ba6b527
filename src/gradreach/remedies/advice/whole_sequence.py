"""The steps of a sequence as the steps of the recurrent layer."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str, kind: str) -> str:
    state = "(h, c)" if kind.startswith("LSTM") else "h"
    return (
        f"y, {state} = {expression(module)}(x)  # x of (batch, T, features) with batch_first, all T steps in one call"
    )


WHOLE_SEQUENCE = Advice(
    id="whole-sequence",
    does="the state then goes from step to step, and the recurrent weights have work",
    code=_code,
    answers=("GR107",),
    unfit="Where a sample has no steps, as a row of a table: a linear layer does the same.",
)
