"""A loss that takes logits."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

STABLE_LOSS = Advice(
    id="stable-loss",
    does="takes the logarithm of the whole, so that no probability of exactly 0 or 1 enters it",
    code=lambda: "F.binary_cross_entropy_with_logits(logits, y)  # or F.cross_entropy(logits, y)",
    answers=("GR301", "GR307"),
    unfit="Where the loss takes logits already: then the model's output broke.",
)
