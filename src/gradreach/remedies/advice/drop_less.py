"""Drop less."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression

LEAST, MOST = 0.05, 0.5
"""The shares that dropouts drop as a rule."""


def _code(places: Sequence[str], p: float) -> str:
    """Of modules' own arguments, as `model.drop.p`; the share is the one that they keep now."""
    usual = min(max(round(1 - p, 2), LEAST), MOST)
    lines = [f"{expression(place)} = {usual:g}" for place in places]
    return "\n".join([f"{lines[0]}  # p is the share that is dropped, 0.1 to 0.5 as a rule; now {p:.3g}", *lines[1:]])


DROP_LESS = Advice(
    id="drop-less",
    does="most of the signal then gets through at each step",
    code=_code,
    answers=("GR314",),
    unfit="Where the data are masked on purpose, for the model to fill in.",
)
