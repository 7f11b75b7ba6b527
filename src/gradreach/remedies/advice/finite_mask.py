"""Mask with a large finite number in place of infinity."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

FINITE_MASK = Advice(
    id="finite-mask",
    does="∞ − ∞ and 0 · ∞ are NaN; the least finite number masks as well, and can be computed with",
    code=lambda: "x.masked_fill(mask, -1e9)  # in place of an infinity; float16: -1e4",
    answers=("GR301",),
    unfit="Where the infinity arose by overflow: bound what overflows.",
)
