"""The state after the last step, in place of that after the first."""

from __future__ import annotations

from gradreach.record.kinds import is_cell
from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str, kind: str) -> str:
    if is_cell(kind):
        return f"state = states[-1]  # of all that the loop over `{module}` makes, in place of states[0]"
    given = "(h_n, _)" if kind == "LSTM" else "h_n"
    return (
        f"_, {given} = {expression(module)}(x)\n"
        "state = h_n[-1]  # (batch, ·) after the last step, in place of output[:, 0], or output[0] with time first"
    )


LAST_STATE = Advice(
    id="last-state",
    does="the state after the last step has seen every step",
    code=_code,
    answers=("GR707",),
    unfit="Where each step has a target of its own, and where padding ends the rows: read the last step of the data.",
)
