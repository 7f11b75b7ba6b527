"""Batches whose rows go on where those of the batch before ended."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code() -> str:
    return (
        "rows = stream[: batch_size * (len(stream) // batch_size)].view(batch_size, -1)  # one long row each\n"
        "chunks = [rows[:, at : at + T + 1] for at in range(0, rows.shape[1] - T, T)]  # in this order, not shuffled"
    )


ROWS_IN_ORDER = Advice(
    id="rows-in-order",
    does="the state that a row begins with is then what came before it",
    code=_code,
    answers=("GR105",),
    unfit="Where the chunks are samples of their own, with nothing before them.",
)
