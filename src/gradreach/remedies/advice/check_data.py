"""Look for values that are not finite where a batch is made."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code() -> str:
    return "assert torch.isfinite(x).all()  # where the batch is made"


CHECK_DATA = Advice(
    id="check-data",
    does="the fault lies in the data",
    code=_code,
    answers=("GR301",),
    unfit="Where missing values are coded as NaN on purpose: they must be masked before the model sees them.",
)
