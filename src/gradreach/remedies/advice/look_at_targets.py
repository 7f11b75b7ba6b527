"""Look at what the targets are."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

LOOK_AT_TARGETS = Advice(
    id="look-at-targets",
    does="where it prints one value, look one step earlier: int() and .long() cut shares between 0 and 1 down to 0",
    code=lambda: "print(y.dtype, y.unique(return_counts=True))  # over all labels y, after each step that makes them",
    answers=("GR609",),
    unfit="Where one target is meant, as in a model of a single class.",
)
