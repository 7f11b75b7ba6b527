"""Weights at random, so that the units of a layer differ."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression

MOST_NAMED = 4


def _code(root: str, weights: Sequence[str]) -> str:
    """Of some weights by their names; of more, or of those that no module has, all that are matrices or kernels."""
    if 0 < len(weights) <= MOST_NAMED:
        return "\n".join(f"nn.init.xavier_uniform_({expression(weight)})  # before training" for weight in weights)
    if not weights:
        return "nn.init.xavier_uniform_(w)  # each matrix w, before training"
    return (
        f"for w in {expression(root)}.parameters():  # before training\n    if w.dim() > 1: nn.init.xavier_uniform_(w)"
    )


UNLIKE_UNITS = Advice(
    id="unlike-units",
    does="units that start different get different gradients, and come to do different things",
    code=_code,
    answers=("GR205",),
    unfit="For weights that were trained or loaded: make the copies a little unlike instead, by noise or dropout.",
)
