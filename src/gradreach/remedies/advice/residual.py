"""A sum around a layer (He, Zhang, Ren, Sun 2016)."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str, activation: str) -> str:
    """Around the layer and the activation that follows it: past the layer alone the activation would still shrink."""
    layer = f"{expression(module)}(x)"
    return f"x = x + {f'torch.{activation}({layer})' if activation else layer}  # and so on, wherever the width stays"


RESIDUAL = Advice(
    id="residual",
    does="the sum hands the gradient on whole, whatever layer and activation do to it",
    code=_code,
    answers=("GR201",),
    unfit="Where input and output of the layer differ in width.",
)
