"""A learning rate at which no unit is pushed below zero for good."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.lower_rate import divided

LEARNING_RATE = Advice(
    id="learning-rate",
    does="units die when one large step pushes their bias far below zero",
    code=divided,
    answers=("GR204", "GR307"),
    unfit="Where the units were dead from the first look on.",
)
