"""A normalisation over several values, or none, in place of one over a single value."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str) -> str:
    """What stands in a module's place; where it is a function, what its line should be."""
    if not module:
        return "# no layer_norm or group_norm here, or over several values: normalized_shape is the axes to norm over"
    return f"{expression(module)} = torch.nn.Identity()  # or a norm over several values, as BatchNorm"


NORM_OVER_MORE = Advice(
    id="norm-over-more",
    does="a value less its own mean is 0; without the normalisation it passes, as under one over features or the batch",
    code=_code,
    answers=("GR207",),
    unfit="Where the axis was meant to be another: move that one to where the normalisation runs.",
)
