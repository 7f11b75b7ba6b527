"""Weights that start at a deviation of 1 / √fan-in."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression

MOST = 8
"""Weights that are spelt out."""


def _code(weights: Sequence[tuple[str, int]]) -> str:
    """Of each weight its name, empty where no module owns it, and its fan-in."""
    lines = [f"nn.init.normal_({expression(name)}, std={fan_in} ** -0.5)" for name, fan_in in weights if name]
    sizes = sorted({fan_in for name, fan_in in weights if not name})
    lines += [f"w.data *= {size} ** -0.5 / w.data.std()  # each w with {size} inputs" for size in sizes]
    more = [f"# and {len(lines) - MOST} more likewise"] if len(lines) > MOST else []
    return "\n".join([*lines[:MOST], *more])


USUAL_START = Advice(
    id="usual-start",
    does="before training: the signal then keeps its size, and the loss begins near that of a constant guess",
    code=_code,
    answers=("GR607",),
    unfit="For weights that were trained or loaded.",
)
