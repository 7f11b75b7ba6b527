"""Keep the slope of an operation finite."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code() -> str:
    return "torch.sqrt(x + 1e-12)  # norms, distances, divisions alike"


SAFE_SLOPE = Advice(
    id="safe-slope",
    does="an operation may be finite where its slope is not",
    code=_code,
    answers=("GR301",),
    unfit="Where the constant is no longer small beside x.",
)
