"""ReLU in place of a logistic function."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

ACTIVATION = Advice(
    id="activation",
    does="slope 1 where it is on; a logistic's is at most 1/4",
    code=lambda: "nn.ReLU()  # in place of nn.Sigmoid()",
    answers=("GR201",),
    unfit="Where the output of the layer must lie between 0 and 1, as a gate's does.",
)
