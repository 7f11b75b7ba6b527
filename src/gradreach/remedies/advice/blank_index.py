"""A blank of a CTC loss that no target is."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.remedies.advice.advice import Advice

MOST_NAMED = 4


def _code(classes: int, free: Sequence[int]) -> str:
    if len(free) == 1:
        return f"criterion = nn.CTCLoss(blank={free[0]})  # the class that no target ever is"
    if free:
        named = ", ".join(map(str, free[:MOST_NAMED]))
        more = " and others" if len(free) > MOST_NAMED else ""
        return (
            f"criterion = nn.CTCLoss(blank={free[0]})  # the class that is meant as blank: no target is {named}{more}"
        )
    return f"criterion = nn.CTCLoss(blank={classes})  # and {classes + 1} outputs: 0 to {classes - 1} are the targets'"


BLANK_INDEX = Advice(
    id="blank-index",
    does="the blank is then a class of its own, and the loss a −log p again",
    code=_code,
    answers=("GR613",),
    unfit="Where the targets' own numbers are wrong: give the class at the blank's index another one.",
)
