"""The generator's loss that keeps its slope where the discriminator is certain (Goodfellow and others 2014)."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

UNSATURATED_LOSS = Advice(
    id="unsaturated-loss",
    does="its slope is largest where the other model is certain; both models' losses then take its logits",
    code=lambda: (
        "loss = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))"
        "  # logits: the other model's output without its sigmoid"
    ),
    answers=("GR308",),
    unfit="Where the other model is not a classifier.",
)
