"""How a batch lies in x: where time and rows are, where rows end, and what they begin anew with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.utils._pytree import tree_leaves

from gradreach.engine.custom.form import name_of, varies
from gradreach.remedies.tbptt.arguments import tensor_of


@dataclass(frozen=True, slots=True, eq=False)
class BatchLayout:
    """How a batch lies in x: where time is, where its rows (sequences) end, and what they begin anew with.

    `dim`: where x, y and outputs have time; by default 0, or 1 where `step` is a layer with batch_first, or a module in
    which all recurrent layers are so.
    `batch_dim`: where every leaf of the state has the rows; by default it is found from the leaf's shape.
    `lengths`, (B,): the steps of each row of a padded batch. A row shorter than T ends there, and stands at its initial
    state afterwards; a row as long as T goes on.
    `ends`, (T, B) or (B, T) as x's first two dimensions: True where the row ends with this step and begins anew after
    it. No gradient crosses an end.
    `initial`: the state that a row begins anew with, built like the state and broadcast to it; zeros by default.
    """

    dim: int | None = None
    batch_dim: int | None = None
    lengths: Int[Tensor, " B"] | Sequence[int] | None = None
    ends: Bool[Tensor, "_ _"] | Sequence[Sequence[bool]] | None = None
    initial: Any = None

    def ends_and_mask(self, x: Any, dim: int, T: int) -> tuple[Bool[Tensor, "T B"] | None, Bool[Tensor, "_ _"] | None]:
        """After which of x's steps which rows end, and which steps count, laid out as x; None where nothing is said.

        Raises TypeError or ValueError where lengths or ends do not fit x.
        """
        ended = None if self.ends is None else _ends(x, self.ends, dim, T)
        if self.lengths is None:
            return ended, None
        lengths = tensor_of("lengths", self.lengths)
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
