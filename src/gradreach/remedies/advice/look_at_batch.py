"""Look at the batch of a spike."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(step: int) -> str:
    return f"if step == {step}: print(x.abs().max(), y.abs().max())  # and mend or leave out what is out of line"


LOOK_AT_BATCH = Advice(
    id="look-at-batch",
    does="a spike often is one bad sample",
    code=_code,
    answers=("GR302",),
    unfit="Where the run draws its batches in another order each time.",
)
