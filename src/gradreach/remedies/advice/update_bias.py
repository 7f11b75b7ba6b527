"""Start the update gate of a GRU or a minGRU open."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import opened

UPDATE_BIAS = Advice(
    id="update-bias",
    does="an open update gate lets state and gradient pass nearly whole from the start",
    code=opened,
    answers=("GR101", "GR104", "GR402"),
    unfit="For models that are trained already, and where the state must forget fast.",
)
