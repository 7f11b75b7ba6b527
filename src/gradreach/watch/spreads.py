"""How the numbers of an output or a target lie: from where to where, and how far apart its rows are."""

from __future__ import annotations

import torch
from torch import Tensor

from gradreach.record.seen.loss import Spread
from gradreach.watch.tensors import is_dense_and_real

MOST_NUMBERS = 1 << 20
"""Numbers of an output or target that are read; of more, evenly spaced rows."""


def spread_of(tensor: Tensor | None) -> Spread | None:
    """Least, largest and mean number, and how far the rows lie apart; None where a number is not finite, or none is."""
    if tensor is None or not is_dense_and_real(tensor) or not tensor.numel():
        return None
    rows = rows_of(tensor).float()
    if not bool(torch.isfinite(rows).all()):
        return None
    within = rows.var(dim=0).mean().sqrt().item() if rows.shape[:1].numel() >= 2 and rows.dim() else 0.0
    return Spread(rows.min().item(), rows.max().item(), rows.mean().item(), within)


def rows_of(tensor: Tensor) -> Tensor:
    """The tensor, or of a large one evenly spaced rows of it."""
    if tensor.numel() <= MOST_NUMBERS or not tensor.dim():
        return tensor
    return tensor[:: -(-tensor.numel() // MOST_NUMBERS)]
