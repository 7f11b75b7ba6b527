"""Bound the global norm (Pascanu, Mikolov, Bengio 2013)."""

from __future__ import annotations

from collections.abc import Collection

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def clipped_at(models: Collection[str], threshold: str, scaled: bool = False) -> str:
    """The norm of the one model that a backward pass goes through; of several the caller must pick the parameters.

    A gradient `scaled` by a GradScaler is brought back to its size first.
    """
    what, note = "parameters", "  # those that step() changes; between backward() and step()"
    if len(models) == 1:
        what, note = f"{expression(min(models))}.parameters()", "  # between backward() and step()"
    first = "scaler.unscale_(optimizer); " if scaled else ""
    return f"{first}torch.nn.utils.clip_grad_norm_({what}, {threshold}){note}"


CLIP = Advice(
    id="clip",
    does="bounds the length of a step and keeps its direction",
    code=clipped_at,
    answers=("GR301", "GR302", "GR304"),
    unfit="Where the gradient itself is not finite: clipping turns one NaN into NaN everywhere.",
)
