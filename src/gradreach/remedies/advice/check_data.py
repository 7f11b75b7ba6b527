"""Look for values that are not finite where a batch is made."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

CHECK_DATA = Advice(
    id="check-data",
    does="the fault lies in the data",
    code=lambda: "assert torch.isfinite(x).all()  # where the batch is made",
    answers=("GR301",),
    unfit="Where missing values are coded as NaN on purpose: they must be masked before the model sees them.",
)
