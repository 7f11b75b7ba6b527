"""See that the rows of a batch differ, where it is made."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

DISTINCT_ROWS = Advice(
    id="distinct-rows",
    does="shows where each row is taken from: an index that is not used, or a value that is written over",
    code=lambda: "assert (x != x[:1]).any()  # where the batch is made",
    answers=("GR704",),
    unfit="Where the input is a constant on purpose.",
)
