"""One number as the loss."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

SCALAR_LOSS = Advice(
    id="scalar-loss",
    does="one number has one gradient",
    code=lambda: "loss.mean().backward()",
    answers=("GR501",),
    unfit="Where the sum is meant: loss.sum().",
)
