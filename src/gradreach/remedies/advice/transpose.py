"""Axes exchanged by a transpose, in place of a view."""

from __future__ import annotations

from typing import Literal

from gradreach.remedies.advice.advice import Advice


def _code(module: str, side: Literal["before", "behind"]) -> str:
    if side == "before":
        return f"x = x.transpose(0, 1)  # before `{module}`, in place of view or reshape"
    return f"h = h.transpose(0, 1).reshape(len(x), -1)  # behind `{module}`, in place of h.view or h.reshape alone"


TRANSPOSE = Advice(
    id="transpose",
    does="keeps each row of the batch by itself: a view cuts memory anew, a transpose exchanges axes",
    code=_code,
    answers=("GR702",),
    unfit="Where the rows are mixed on purpose.",
)
