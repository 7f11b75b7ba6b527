"""A mask the other way round."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(module: str, kind: str) -> str:
    if kind == "MultiheadAttention":
        return (
            f"mask = ~mask  # `{module}` ignores a key where its key_padding_mask is True: mask = x == 0, where 0 is "
            "the padding of the input"
        )
    return (
        "mask = ~mask  # scaled_dot_product_attention attends where its mask is True: x != 0, where 0 is the padding; "
        "scores.masked_fill(mask, -torch.inf) ignores where it is True"
    )


INVERT_MASK = Advice(
    id="invert-mask",
    does="attends to the data and ignores the padding",
    code=_code,
    answers=("GR709",),
    unfit="Where attention to what is blank is meant, as between places that are to be filled in.",
)
