"""Keep the slope of an operation finite."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def away_from_the_root(operation: str = "sqrt") -> str:
    """The root of an argument that is kept away from 0."""
    if operation == "power":
        return "(x + 1e-8) ** p  # x, p: what stands there now; x is not negative"
    return f"torch.{operation}(x + 1e-8)  # norms and distances alike: (d.pow(2).sum(-1) + 1e-8).sqrt()"


SAFE_SLOPE = Advice(
    id="safe-slope",
    does="an operation may be finite where its slope is not",
    code=away_from_the_root,
    answers=("GR301",),
    unfit="Where the constant is no longer small beside x.",
)
