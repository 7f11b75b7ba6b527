"""Axes exchanged by a transpose, in place of a view."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(module: str) -> str:
    return f"x = x.transpose(0, 1)  # before `{module}`, in place of view or reshape"


TRANSPOSE = Advice(
    id="transpose",
    does="keeps each row of the batch by itself: a view cuts memory anew, a transpose exchanges axes",
    code=_code,
    answers=("GR702",),
    unfit="Where the rows are mixed on purpose.",
)
