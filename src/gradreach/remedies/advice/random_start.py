"""Weights that start at random, so that units differ."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(root: str) -> str:
    return f"for m in {expression(root)}.modules():\n    if hasattr(m, 'reset_parameters'): m.reset_parameters()"


RANDOM_START = Advice(
    id="random-start",
    does="torch's own start, before training: weights of 0 pass no gradient on, far biases switch units off for good",
    code=_code,
    answers=("GR307",),
    unfit="For weights that were trained or loaded: reset only those that are to blame.",
)
