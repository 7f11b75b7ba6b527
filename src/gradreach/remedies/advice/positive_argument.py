"""Make an argument positive by construction."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def positive(operation: str = "log") -> str:
    """The operation of an argument that softplus made positive."""
    return f"torch.{operation}(F.softplus(x) + 1e-6)"


POSITIVE_ARGUMENT = Advice(
    id="positive-argument",
    does="a network's output may be negative; what softplus makes of it is not, and keeps a slope",
    code=positive,
    answers=("GR301",),
    unfit="Where a negative argument is a fault of what comes before.",
)
