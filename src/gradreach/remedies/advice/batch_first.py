"""The order of batch and time that a layer is told."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str, batch_first: bool, attends: bool = False) -> str:
    if not attends:
        return f"{expression(module)}.batch_first = {batch_first}"
    root = module.split(".", 1)[0]
    return (
        f"for layer in {root}.modules():\n    if isinstance(layer, torch.nn.MultiheadAttention):\n"
        f"        layer.batch_first = {batch_first}"
    )


BATCH_FIRST = Advice(
    id="batch-first",
    does="tells the layer which axis of what it is given is the batch",
    code=_code,
    answers=("GR702",),
    unfit="Where rows of a batch are meant to feed each other.",
)
