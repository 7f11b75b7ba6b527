"""Normalise data so that a row or column without anything in it stays finite."""

from __future__ import annotations

from gradreach.record.nonfinite import Cause
from gradreach.remedies.advice.advice import Advice


def _code(cause: Cause) -> str:
    if cause == "sum of a row":
        return "x = x / x.sum(1, keepdim=True).clamp(min=1e-8)  # x before its division; a row of zeros stays one"
    if cause == "norm of a row":
        return "x = x / x.norm(dim=1, keepdim=True).clamp(min=1e-8)  # x before its division; a row of zeros stays one"
    return "x = (x - x.mean(0)) / x.std(0).clamp(min=1e-8)  # x as it was read; a constant column becomes 0"


SAFE_NORMALISATION = Advice(
    id="safe-normalisation",
    does="0 / 0 is NaN, and one such row or column makes the loss and every weight NaN",
    code=_code,
    answers=("GR301",),
    unfit="Where the data held NaN before: fill or leave out what is missing first.",
)
