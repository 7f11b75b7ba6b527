"""A state of zeros for each batch."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

START_ANEW = Advice(
    id="start-anew",
    does="rows with nothing before them begin without a memory of other rows",
    code=lambda: "state = None  # before each batch, in place of the state that the last one left",
    answers=("GR105",),
    unfit="Where the rows of a batch go on where those of the last one ended.",
)
