"""Hand the state that a step leaves to the next step."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str, kind: str) -> str:
    state = "(h, c)" if kind.startswith("LSTM") else "h"
    if kind not in ("RNNCell", "GRUCell", "LSTMCell", "RNN", "GRU", "LSTM"):
        return f"for t in range(T): …, state = {expression(module)}(x[t], state)  # what the step before returned"
    if kind.endswith("Cell"):
        left = "h, c" if kind == "LSTMCell" else "h"
        return f"for t in range(T): {left} = {expression(module)}(x[:, t], {state})  # the state of the step before"
    return f"for t in range(T): y, {state} = {expression(module)}(x[:, t : t + 1], {state})  # of the step before"


CARRY_STATE = Advice(
    id="carry-state",
    does="a step then knows of those before it, and the gradient goes back to them",
    code=_code,
    answers=("GR107",),
    unfit="Where the calls belong to sequences of one step each.",
)
