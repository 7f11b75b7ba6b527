"""A mask of truth values in place of numbers."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(kind: str, attended: float) -> str:
    if kind == "MultiheadAttention":
        return f"mask = mask != {attended:g}  # True where a place is not to be read, as MultiheadAttention takes it"
    return f"mask = mask == {attended:g}  # True where a place is to be read, as scaled_dot_product_attention takes it"


BOOLEAN_MASK = Advice(
    id="boolean-mask",
    does="a boolean mask shuts places out, where numbers are only added to the scores",
    code=_code,
    answers=("GR710",),
    unfit="Where a small bias of the scores is meant.",
)
