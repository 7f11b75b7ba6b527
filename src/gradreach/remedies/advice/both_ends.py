"""The states that both directions of a recurrent layer end with."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str, kind: str) -> str:
    given = "(h_n, _)" if kind == "LSTM" else "h_n"
    return (
        f"_, {given} = {expression(module)}(x)\n"
        "state = torch.cat((h_n[-2], h_n[-1]), -1)  # (batch, 2 ·) after all steps of each direction, in place of one "
        "step of output: the reverse direction ends at its first"
    )


BOTH_ENDS = Advice(
    id="both-ends",
    does="each direction is read where it has seen every step",
    code=_code,
    answers=("GR707",),
    unfit="Where one place is asked about, as a symbol at the start: what each direction knows there may be enough.",
)
