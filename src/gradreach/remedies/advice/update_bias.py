"""Start a GRU's update gate open."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import opened


def _code(bias: str) -> str:
    return opened("update", bias, 3)


UPDATE_BIAS = Advice(
    id="update-bias",
    does="an open update gate lets state and gradient pass nearly whole from the start",
    code=_code,
    answers=("GR101", "GR104", "GR402"),
    unfit="For models that are trained already, and where the state must forget fast.",
)
