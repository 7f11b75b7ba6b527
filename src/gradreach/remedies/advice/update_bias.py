"""Start the gate that lets new things in, of a GRU, a minGRU or a minLSTM, nearly shut."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import opened

UPDATE_BIAS = Advice(
    id="update-bias",
    does="a gate that lets little in at the start leaves state and gradient nearly whole",
    code=opened,
    answers=("GR101", "GR104", "GR402"),
    unfit="For models that are trained already, and where the state must forget fast.",
)
