"""tanh in place of a logistic function."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

ACTIVATION = Advice(
    id="activation",
    does="slope up to 1 where a logistic has 1/4, and bounded as it is, so that the same rate serves",
    code=lambda: (
        "nn.Tanh()  # in place of nn.Sigmoid(), with a start for it in each layer before one:\n"
        "nn.init.xavier_normal_(layer.weight, gain=5 / 3)"
    ),
    answers=("GR201",),
    unfit="Where the output of the layer must lie between 0 and 1, as a gate's does.",
)
