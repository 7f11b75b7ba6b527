"""The mean of the gradients of several passes, in place of their sum."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

AVERAGE_PASSES = Advice(
    id="average-passes",
    does="makes the update of n passes as large as that of one batch of all their rows",
    code=lambda: "loss = loss / n  # before backward(): n passes make one update",
    answers=("GR301", "GR304", "GR305"),
    unfit="Where the loss is divided by the number of passes already.",
)
