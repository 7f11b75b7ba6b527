"""Bound what an exponential is taken of."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def bounded(operation: str = "exp", most: str = "20.0") -> str:
    """The exponential of a value that cannot pass the bound."""
    return f"torch.{operation}(x.clamp(max={most}))  # x: what stands there now"


BOUNDED_EXPONENT = Advice(
    id="bounded-exponent",
    does="exp passes float32 at 88.7 and float16 at 11.1; below the bound nothing changes",
    code=bounded,
    answers=("GR301",),
    unfit="Where values above the bound are meant: take the logarithm of the whole, or subtract the largest first.",
)
