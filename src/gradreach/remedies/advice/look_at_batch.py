"""Look at the batch of a spike."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(step: int) -> str:
    return f"# print the batch of step {step}"


LOOK_AT_BATCH = Advice(
    id="look-at-batch",
    does="a spike often is one bad sample",
    code=_code,
    answers=("GR302",),
    unfit="Where the run draws its batches in another order each time.",
)
