"""Start an LSTM's forget gate open (Gers, Schmidhuber, Cummins 2000)."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import opened

FORGET_BIAS = Advice(
    id="forget-bias",
    does="an open forget gate lets state and gradient pass nearly whole from the start",
    code=opened,
    answers=("GR101", "GR104", "GR402"),
    unfit="For models that are trained already, and where the state must forget fast.",
)
