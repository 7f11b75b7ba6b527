"""Find out whether the model can learn the task at all: train on one batch."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(steps: int) -> str:
    return f"batches = [next(iter(batches))] * {steps}  # a trial: the first batch again and again"


ONE_BATCH = Advice(
    id="one-batch",
    does="a loss that does not fall on one batch either points at the model or the loop; one that does, at the data "
    "or the length of the training",
    code=_code,
    answers=("GR403", "GR604", "GR703"),
    unfit="As a remedy: it only tells where to look.",
)
