"""A sum around a layer (He, Zhang, Ren, Sun 2016)."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str) -> str:
    return f"x = x + {expression(module)}(x)  # and so on, wherever the width stays"


RESIDUAL = Advice(
    id="residual",
    does="the sum hands the gradient on whole, whatever the layer does to it",
    code=_code,
    answers=("GR201",),
    unfit="Where input and output of the layer differ in width.",
)
