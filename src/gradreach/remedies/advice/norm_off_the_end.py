"""Take the normalisation off the end of a network."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(kind: str, module: str) -> str:
    if module.rpartition(".")[2].isdecimal():
        return f"{expression(module)} = nn.Identity()  # no {kind} behind the last layer"
    return f"return x  # as the last layer gives it, without the {kind}"


NORM_OFF_THE_END = Advice(
    id="norm-off-the-end",
    does="the output then has the level and the scale that the targets ask for",
    code=_code,
    answers=("GR614",),
    unfit="Where what reads the output takes it standardised: standardise the targets too.",
)
