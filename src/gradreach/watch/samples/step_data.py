"""The data that modules are given on one step: sequences that none of them computed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradreach.watch.tensors import is_dense, tensors_of

MOST_TENSORS = 16
"""Of the data that a step hands to its modules so many different tensors are told apart, and as many of its roots."""


class StepData:
    """Collects what the modules of one step are given."""

    def __init__(self) -> None:
        self._tensors: dict[tuple[Any, ...], Tensor] = {}

    def called(self, args: tuple[Any, ...], kwargs: dict[str, Any], *, outermost: bool) -> bool:
        """Take in what a call was given; whether any of it was such data."""
        found = [tensor.detach() for tensor in tensors_of(*args, *kwargs.values()) if _is_data(tensor)]
        for tensor in found:
            if len(self._tensors) < (2 if outermost else 1) * MOST_TENSORS:
                key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
                self._tensors.setdefault(key, tensor)
        return bool(found)

    def sequences(self) -> tuple[Tensor, ...]:
        """All of it, as it came, in the order in which it was met."""
        return tuple(self._tensors.values())

    def aligned(self, B: int, T: int, *, batch_first: bool) -> list[Tensor]:
        """The sequences of B rows and T steps, (B, T, …), but not what is the same in every row, as positions are."""
        rows = (laid_out(tensor, B, T, batch_first=batch_first) for tensor in self._tensors.values())
        return [x for x in rows if x is not None and (B == 1 or not bool((x == x[:1]).all()))]


def laid_out(x: Tensor, B: int, T: int, *, batch_first: bool) -> Tensor | None:
    """`x` as (B, T) ids or (B, T, f) where its first axes are these in either order, `batch_first` where B = T."""
    if B == 1 and x.dim() == (2 if x.is_floating_point() else 1):
        x, batch_first = x.unsqueeze(0), True
    if x.is_floating_point() and x.dim() == 2:
        x = x.unsqueeze(-1)
    first = tuple(x.shape[:2])
    if first == (B, T) and (batch_first or B != T):
        return x
    return x.transpose(0, 1) if first == (T, B) else None


def _is_data(tensor: Tensor) -> bool:
    """Ids (B, T) or real values (B, T, f), unbatched (T,) and (T, f); an output of a module has a graph behind it."""
    if tensor.requires_grad or not is_dense(tensor) or tensor.numel() == 0:
        return False
    if tensor.is_floating_point():
        return tensor.dim() in (2, 3)
    return tensor.dim() in (1, 2) and not tensor.is_complex() and tensor.dtype != torch.bool
