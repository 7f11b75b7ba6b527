"""After which steps the rows of a batch end, and which steps count."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.utils._pytree import tree_leaves

from gradreach.engine.custom.form import name_of, varies
from gradreach.remedies.tbptt.arguments import tensor_of
from gradreach.remedies.tbptt.options import BatchLayout


def ends_and_mask(
    x: Any, layout: BatchLayout, dim: int, T: int
) -> tuple[Bool[Tensor, "T B"] | None, Bool[Tensor, "_ _"] | None]:
    """After which steps which rows end, and which steps count, laid out as x; None where the layout says nothing.

    Raises TypeError or ValueError where lengths or ends do not fit x.
    """
    ended = None if layout.ends is None else _ends(x, layout.ends, dim, T)
    if layout.lengths is None:
        return ended, None
    lengths = tensor_of("lengths", layout.lengths)
    if lengths.dim() != 1 or varies(lengths.dtype) or bool(((lengths < 0) | (lengths > T)).any()):
        raise ValueError(f"lengths: expected a number of steps from 0 to {T} for every row, got {lengths}")
    _check_rows("lengths", len(lengths), x, dim)
    time = torch.arange(T, device=lengths.device).unsqueeze(1)
    counts = time < lengths
    last = (time == lengths - 1) | (time == T - 1)  # what runs over the padding is dropped at its end
    over = last & (lengths < T)
    ended = over if ended is None else ended.to(over.device) & counts | over
    return ended, counts if dim == 0 else counts.t()


def _ends(x: Any, given: Any, dim: int, T: int) -> Bool[Tensor, "T B"]:
    ends = tensor_of("ends", given)
    if ends.dtype != torch.bool or ends.dim() != 2 or ends.shape[min(dim, 1)] != T:
        wanted = f"({T}, B)" if dim == 0 else f"(B, {T})"
        raise ValueError(f"ends: expected a Boolean tensor {wanted}, got {name_of(ends.dtype)} {tuple(ends.shape)}")
    ends = ends if dim == 0 else ends.t()
    _check_rows("ends", ends.shape[1], x, dim)
    return ends


def _check_rows(name: str, B: int, x: Any, dim: int) -> None:
    found = {leaf.shape[1 - dim] for leaf in tree_leaves(x) if leaf.dim() > 1} if dim < 2 else {B}
    if B not in found:
        rows = " or ".join(map(str, sorted(found))) or "no"
        raise ValueError(
            f"{name}: expected one for each of the {rows} rows of x, got {B}; they may be of another batch"
        )
