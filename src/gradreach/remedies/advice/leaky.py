"""A small slope below zero."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str, kind: str) -> str:
    """A ReLU that is a module of its own is replaced by name."""
    if kind == "ReLU":
        return f"{expression(module)} = nn.LeakyReLU(0.01)  # in place of nn.ReLU()"
    return f"F.leaky_relu(x, 0.01)  # in place of the ReLU after `{module}`"


LEAKY = Advice(
    id="leaky",
    does="a small slope below zero lets dead units come back",
    code=_code,
    answers=("GR204",),
    unfit="Where activations must be sparse or may not be negative.",
)
