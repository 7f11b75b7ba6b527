"""Weights of a cross entropy that are above 0."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

POSITIVE_WEIGHTS = Advice(
    id="positive-weights",
    does="a weight above 0 makes an error cost something",
    code=lambda: "weight = weight.abs()  # counts over counts, as negatives / positives for pos_weight; never below 0",
    answers=("GR606",),
    unfit="Where the weights were computed wrongly: then their size is wrong as well.",
)
