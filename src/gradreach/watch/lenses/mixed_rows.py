"""Whether rows of a batch that should be independent feed one another: through a softmax over them, or a view.

The rows of a batch are followed back to the layers that are given the script's data, by short backward passes over the
script's own graph: from single rows of the loss, and from single places along the axis that a softmax runs over. They
accumulate into no `.grad`. The first few looks ask, and no later one: a model reads its rows as its code is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import prod

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from gradreach.record.look import Look
from gradreach.record.seen.data import MixedRows, SoftmaxAxis
from gradreach.watch.graph import Graph, maker, mark, operation, softmax_axis
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.loss_rows import FEWEST_ROWS, rows_of
from gradreach.watch.models import own_parameters
from gradreach.watch.tensors import first_tensor, is_dense, is_dense_and_real

MOST_LOOKS = 4
MOST_CALLS = 64
MOST_SOFTMAXES = 4
MOST_NUMBERS = 1 << 26
"""Numbers in what a pass begins from, for the memory that it takes: of more nothing is asked."""

SOFTMAXES = {"SoftmaxBackward0": "softmax", "LogSoftmaxBackward0": "log_softmax"}


@dataclass(frozen=True)
class _Source:
    """One call of a layer that was given the script's data: what gets its gradient, and where its rows may lie."""

    edge: GradientEdge
    module: nn.Module
    axis: int
    rows: int
    is_sure: bool


Read = dict[tuple[nn.Module, int], set[int]]
"""Of each layer, along each axis that may be that of its rows, those that are read."""


class MixedRowsOfBatch(Lens):
    """Follows rows of the loss, and places along the axis of a softmax, to the layers that take the data in."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._calls: list[tuple[nn.Module, torch.Size]] = []
        self._orders: set[bool] = set()
        self._mark = object()
        self._is_asked = step.carried.get(MixedRowsOfBatch, 0) < MOST_LOOKS
        self._mixed: tuple[MixedRows, ...] = ()
        self._softmaxes: tuple[SoftmaxAxis, ...] = ()

    def called(self, call: ModuleCall) -> None:
        """Take in one call of an innermost module with weights that was given data."""
        module = call.module
        if not call.of_model or not self._is_asked or len(self._calls) >= MOST_CALLS:
            return
        if isinstance(getattr(module, "batch_first", None), bool):
            self._orders.add(bool(module.batch_first))
        x, y = first_tensor(*call.args, *call.kwargs.values()), first_tensor(call.output)
        if module._modules or x is None or y is None or not own_parameters(module) or not _is_data(x):
            return
        if (node := maker(y)) is not None and is_dense_and_real(y) and y.dim() >= 2:
            mark(node, (self._mark, y.output_nr), len(self._calls))
            self._calls.append((module, y.shape))

    def before_backward(self, backward: BackwardPass) -> None:
        """Probe, where a further pass is seen by nobody but us."""
        graph = backward.graph
        if not self._calls or not graph.whole or not self.step.may_pass_again(graph):
            return
        self.step.carried[MixedRowsOfBatch] = self.step.carried.get(MixedRowsOfBatch, 0) + 1
        found = next(rows_of(backward.losses, most_axes=4), None)
        if found is None or prod(found[1]) > MOST_NUMBERS:
            return
        sources = [each for each in self._sources(graph, found[1][0]) if _are_rows(each, found[1][0])]
        if sources:
            self._mixed = tuple(self._read_by_the_loss(*found, sources))
        if sure := [each for each in sources if each.is_sure]:
            self._softmaxes = tuple(self._read_along_softmaxes(graph, sure))

    def look(self, look: Look) -> Look:
        """The look's `mixed_rows` and `softmaxes`."""
        return replace(look, mixed_rows=self._mixed, softmaxes=self._softmaxes)

    def _sources(self, graph: Graph, rows: int) -> Iterator[_Source]:
        """The calls that the loss came through, each with every axis along which its rows may lie."""
        for node in graph.nodes:
            for key, number in node.metadata.items():
                if isinstance(key, tuple) and key[0] is self._mark:
                    module, shape = self._calls[number]
                    axes = self._axes(module, shape, rows)
                    for axis in axes:
                        yield _Source(GradientEdge(node, key[1]), module, axis, shape[axis], len(axes) == 1)

    def _axes(self, module: nn.Module, shape: Sequence[int], rows: int) -> tuple[int, ...]:
        """Sequences come as (B, T, ·) or (T, B, ·); which of them is told by the layer, or by what has as many rows."""
        if len(shape) != 3 or isinstance(module, nn.modules.conv._ConvNd):
            return (0,)
        if isinstance(module, nn.RNNBase):
            return (0 if module.batch_first else 1,)
        in_all = [size for size in shape[:2] if all(size in each[:2] for _, each in self._calls)]
        for sizes in ([rows], in_all):
            if len(sizes) == 1 and shape[:2].count(sizes[0]) == 1:
                return (shape[:2].index(sizes[0]),)
        return (0, 1) if False in self._orders else (0,)

    def _read_by_the_loss(
        self, start: GradientEdge, shape: Sequence[int], sources: Sequence[_Source]
    ) -> Iterator[MixedRows]:
        """How rows from the inside of the batch read each layer: the first and the last might lie right by chance."""
        rows = sorted({shape[0] // 3, 2 * shape[0] // 3})
        sets = [_read(start, shape, 0, row, sources) for row in rows]
        for (module, axis), count in {(each.module, each.axis): each.rows for each in sources}.items():
            read = [each.get((module, axis), set()) for each in sets]
            if all(read):
                own = sum(bool(_own(row, shape[0], count) & each) for row, each in zip(rows, read, strict=True))
                path, kind = self.step.models.path(module), type(module).__name__
                yield MixedRows(path, kind, count, shape[0], len(rows), own, max(map(len, read)))

    def _read_along_softmaxes(self, graph: Graph, sources: Sequence[_Source]) -> Iterator[SoftmaxAxis]:
        """Of softmaxes along an axis that may be that of the rows whether it is, each kind and shape once."""
        softmaxes = {
            (operation(node), *softmax_axis(node)): node for node in graph.nodes if operation(node) in SOFTMAXES
        }
        possible = ((key, node) for key, node in softmaxes.items() if _may_be_rows(*key[1:], sources))
        mixed = {each.module for each in self._mixed if each.read > 1}
        for (name, axis, shape), node in islice(possible, MOST_SOFTMAXES):
            parent, at = node.next_functions[0]
            places = (0, shape[axis] // 2, shape[axis] - 1)
            sets = [_read(GradientEdge(parent, at), shape, axis, place, sources) for place in places]
            apart = {self.step.models.path(module) for module, _ in _read_apart(sets)}
            module = self.step.spans.module_of(node._sequence_nr())
            path, kind = ("", "") if module is None else (self.step.models.path(module), type(module).__name__)
            yield SoftmaxAxis(SOFTMAXES[name], path, kind, shape, axis, bool(apart & mixed))


def _read(start: GradientEdge, shape: Sequence[int], axis: int, place: int, sources: Sequence[_Source]) -> Read:
    """The rows of each layer that one place along one axis is computed from."""
    metadata = start.node._input_metadata[start.output_nr]
    only = torch.zeros(tuple(shape), dtype=metadata.dtype, device=metadata.device)
    here = only.select(axis, place)
    here.copy_(torch.linspace(1.0, 2.0, here.numel()).reshape(here.shape))
    targets = [source.edge for source in sources]
    gradients = torch.autograd.grad([start], targets, [only], retain_graph=True, allow_unused=True)
    read: Read = {}
    for gradient, source in zip(gradients, sources, strict=True):
        if gradient is not None:
            rows = gradient.ne(0).movedim(source.axis, 0).flatten(1).any(1)
            read.setdefault((source.module, source.axis), set()).update(rows.nonzero().flatten().tolist())
    return read


def _own(row: int, rows: int, entries: int) -> set[int]:
    """The entries that a row of the loss may belong to, where the loss has as many rows or several for each entry."""
    return {row % entries, row * entries // rows}


def _read_apart(sets: Sequence[Read]) -> list[tuple[nn.Module, int]]:
    """The layers of which each place reads rows that no other place reads; none where all read the same of another
    layer, as a row of scores reads the query that all of them belong to."""
    layers = list(dict.fromkeys(layer for each in sets for layer in each))
    read = {layer: [each.get(layer, set()) for each in sets] for layer in layers}
    if any(all(each) and all(rows == each[0] for rows in each) for each in read.values()):
        return []
    return [layer for layer, each in read.items() if all(each) and sum(map(len, each)) == len(set.union(*each))]


def _is_data(x: Tensor) -> bool:
    """Whether a tensor is data of the script's own; numbers of positions are none."""
    if maker(x) is not None or x.requires_grad or not is_dense(x) or not x.numel():
        return False
    return x.dim() > 1 or x.is_floating_point() or not torch.equal(x, torch.arange(len(x), device=x.device).to(x.dtype))


def _are_rows(source: _Source, rows: int) -> bool:
    return source.rows >= FEWEST_ROWS and rows % source.rows == 0


def _may_be_rows(axis: int, shape: Sequence[int], sources: Sequence[_Source]) -> bool:
    """Whether an axis may have the rows of the batch. A square of scores holds each row against each other one, and a
    single row of scores weighs the rows: both are meant."""
    size = shape[axis] if shape else 0
    return (
        MOST_NUMBERS >= prod(shape) > size
        and shape.count(size) == 1
        and any(_are_rows(source, size) for source in sources)
    )
