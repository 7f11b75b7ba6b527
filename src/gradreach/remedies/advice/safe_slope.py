"""Keep the slope of an operation finite."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

SAFE_SLOPE = Advice(
    id="safe-slope",
    does="an operation may be finite where its slope is not",
    code=lambda: "torch.sqrt(x + 1e-12)  # norms, distances, divisions alike",
    answers=("GR301",),
    unfit="Where the constant is no longer small beside x.",
)
