"""The local errors of one watched step, beside the inputs and the states that they may depend on.

Everything is (B, T, ·) in the data's own order of time, whatever layout the script uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradreach.watch.samples.stream import Chunk

PIECE = 2 << 20
"""Bytes of the rows that are taken in at a time."""


@dataclass(frozen=True)
class LocalErrors:
    """Errors (B, T, p) at the output of `module`, that output (B, T, h), and the inputs: (B, T) ids or (B, T, f) real.
    Errors and outputs of fewer steps are those of the last ones, before which there are none.

    `source` holds what tells one sequence from another, each (B, …). `chunk` is there where the module has a state.
    """

    module: str
    inputs: Tensor
    errors: Tensor
    states: Tensor
    source: tuple[Tensor, ...]
    chunk: Chunk | None = None
    recurrent: bool = True


def identities(source: Iterable[Tensor]) -> Tensor:
    """One int64 per row from the content of all of `source`: the same sample has the same, whenever it comes.

    A linear hash, Σ bits(x_i) · w_i modulo 2⁶⁴ with scrambled w; zeros at the end (padding) change nothing.
    """
    return sum((_hashed(x, 2 * n + 1) for n, x in enumerate(source)), torch.zeros((), dtype=torch.int64))


def in_pieces(values: Tensor, act: Callable[[Tensor], Tensor]) -> Tensor:
    """`act` done to some rows after others, so that what it makes on the way takes little memory; its results joined
    along the rows."""
    rows = max(1, PIECE // max(values[:1].nbytes, 1))
    return torch.cat([act(piece) for piece in values.split(rows)])


def _hashed(x: Tensor, factor: int) -> Tensor:
    return in_pieces(x.detach(), lambda piece: _hashed_rows(piece, factor))


def _hashed_rows(x: Tensor, factor: int) -> Tensor:
    flat = x.reshape(len(x), -1)
    bits = flat.float().view(torch.int32).long() if flat.is_floating_point() else flat.long()
    w = torch.arange(1, flat.shape[1] + 1, device=flat.device) * -7046029254386353131  # splitmix64's own constants
    w = (w ^ (w >> 30)) * -4658895280553007687
    return (bits * (w ^ (w >> 27))).sum(1).mul(factor).cpu()
