"""The slope of what comes before a step, in place of the step's own (Bengio, Léonard, Courville 2013)."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(operation: str) -> str:
    return f"y = x + (torch.{operation}(x) - x).detach()  # in place of y = torch.{operation}(x)"


STRAIGHT_THROUGH = Advice(
    id="straight-through",
    does="forward it is the step as before, backward it lets the gradient through as if it were not there",
    code=_code,
    answers=("GR307",),
    unfit="Where a step is not to be learned through, as at an index into a table.",
)
