"""Weights of classes that fall with their count."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(kind: str) -> str:
    if kind.startswith("binary"):
        return "pos_weight = (y == 0).sum() / (y == 1).sum()  # over all labels y: negatives / positives"
    return "weight = 1 / y.bincount().clamp(min=1); weight = weight / weight.mean()  # over all labels y"


BALANCED_WEIGHTS = Advice(
    id="balanced-weights",
    does="with the weight 1 / count every class makes up the same part of the loss",
    code=_code,
    answers=("GR608",),
    unfit="Where the rare class is of no interest, or so rare that its few rows would be learned by heart.",
)
