"""Layers whose rows are known to be those of the batch, and which of these something computed from them reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from gradreach.watch.graph import maker
from gradreach.watch.loss_rows import FEWEST_ROWS
from gradreach.watch.seams import Back
from gradreach.watch.tensors import is_dense


@dataclass(frozen=True)
class RowSource:
    """One result of a layer that has the rows of the batch: what gets its gradient, and where its rows may lie.

    `is_sure` says that they lie nowhere else, `is_plain` that no other axis in front has as many places. `is_given`
    says that it is what the layer made of the script's data, and not a state that it ended in; `recurs` that the layer
    is a recurrent one, which may be given anything.
    """

    edge: GradientEdge
    module: nn.Module
    axis: int
    rows: int
    is_sure: bool
    is_plain: bool
    is_given: bool
    recurs: bool


RowsRead = dict[tuple[nn.Module, int], set[int]]
"""Of each layer, along each axis that may be that of its rows, those that are read."""


def rows_read(
    back: Back, start: GradientEdge, shape: Sequence[int], axis: int, place: int, sources: Sequence[RowSource]
) -> RowsRead:
    """The rows of each layer that one place along one axis is computed from."""
    read: RowsRead = {}
    gradients = of_one_place(back, start, shape, axis, place, [each.edge for each in sources])
    for gradient, source in zip(gradients, sources, strict=True):
        if gradient is not None:
            read.setdefault((source.module, source.axis), set()).update(places(gradient.ne(0), source.axis))
    return read


def of_one_place(
    back: Back, start: GradientEdge, shape: Sequence[int], axis: int, place: int, ends: Sequence[GradientEdge]
) -> tuple[Tensor | None, ...]:
    """The gradients at these ends where it begins at one place along one axis; the graph stays as it is."""
    metadata = start.node._input_metadata[start.output_nr]
    only = torch.zeros(tuple(shape), dtype=metadata.dtype, device=metadata.device)
    here = only.select(axis, place)
    here.copy_(torch.linspace(1.0, 2.0, here.numel()).reshape(here.shape))
    return back([start], list(ends), [only])


def places(mask: Tensor, axis: int) -> set[int]:
    """The places along one axis at which a mask is set anywhere."""
    found: list[int] = mask.movedim(axis, 0).flatten(1).any(1).nonzero().flatten().tolist()
    return set(found)


def are_rows(source: RowSource, rows: int) -> bool:
    """Whether a loss of so many rows has one, or several, for each row of the source."""
    return source.rows >= FEWEST_ROWS and rows % source.rows == 0


def is_data(x: Tensor) -> bool:
    """Whether a tensor is data of the script's own; numbers of positions are none."""
    if maker(x) is not None or x.requires_grad or not is_dense(x) or not x.numel():
        return False
    return x.dim() > 1 or x.is_floating_point() or not torch.equal(x, torch.arange(len(x), device=x.device).to(x.dtype))
