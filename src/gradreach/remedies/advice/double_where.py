"""Choose before the operation as well as after it."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def chosen_twice(operation: str = "log", harmless: str = "1.0") -> str:
    """The operation of an argument that is harmless wherever its result is not used."""
    return f"torch.where(ok, torch.{operation}(torch.where(ok, x, {harmless})), other)  # ok: where its result is used"


DOUBLE_WHERE = Advice(
    id="double-where",
    does="what is left out of a value is still in its gradient, as 0 · ∞; a harmless argument there has a finite slope",
    code=chosen_twice,
    answers=("GR301",),
    unfit="Where the operation needs no choice: bound its argument instead.",
)
