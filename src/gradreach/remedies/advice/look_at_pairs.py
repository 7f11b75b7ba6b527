"""Look whether the rows of the input and of the target belong together."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

LOOK_AT_PAIRS = Advice(
    id="look-at-pairs",
    does="inputs and targets that were sorted, shuffled or shifted apart have nothing to do with each other",
    code=lambda: "print(x[:3], target[:3])  # do these belong together, and does the input tell the target?",
    answers=("GR604",),
    unfit="As a remedy: it only tells where to look.",
)
