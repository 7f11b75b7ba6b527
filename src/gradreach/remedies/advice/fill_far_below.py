"""Masked scores far below all others."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(module: str) -> str:
    where = f"  # in `{module}`, before the softmax" if module else "  # before the softmax"
    return (
        f'scores = scores.masked_fill(mask, float("-inf")){where}\n'
        "# where a row may be masked as a whole: torch.finfo(scores.dtype).min in place of -inf"
    )


FILL_FAR_BELOW = Advice(
    id="fill-far-below",
    does="a masked place then gets the weight 0",
    code=_code,
    answers=("GR710",),
    unfit="Where masked places are meant to get some weight.",
)
