"""Targets of a CTC loss without its blank."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(blank: int) -> str:
    return (
        f"target_lengths = (targets != {blank}).sum(1)  # targets in rows\n"
        f"targets = targets[targets != {blank}]  # all in one, which the loss takes as well"
    )


LEAVE_OUT_BLANKS = Advice(
    id="leave-out-blanks",
    does="the loss puts blanks between the targets by itself",
    code=_code,
    answers=("GR613",),
    unfit="Where the class at the blank's index is one that targets are to have.",
)
