"""Targets that are shifted in one place alone."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

SHIFT_ONCE = Advice(
    id="shift-once",
    does="then each place is asked for the next symbol, whoever shifts",
    code=lambda: "labels = ids  # where model or loss shifts them; else loss_fn(logits, ids[:, 1:]) for ids[:, :-1]",
    answers=("GR612",),
    unfit="Where the symbol after the next is asked for on purpose.",
)
