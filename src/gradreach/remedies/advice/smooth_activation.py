"""An activation whose derivatives are not 0, for losses that take them."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

SMOOTH_ACTIVATION = Advice(
    id="smooth-activation",
    does="every derivative of it has a slope, so that a loss made of derivatives teaches the weights",
    code=lambda: "nn.Tanh()  # or nn.SiLU(), nn.Softplus(); in place of nn.ReLU(), nn.LeakyReLU() and the like",
    answers=("GR307",),
    unfit="Where no second derivative is taken.",
)
