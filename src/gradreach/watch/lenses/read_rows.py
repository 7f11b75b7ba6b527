"""Which part of a layer that goes through sequences each row of the loss reads: along its steps, or along its batch.

The rows of a batch are independent, so that row i of the loss reads sequence i of such a layer and no other. This is
seen by short backward passes over the script's own graph, from single rows of what the loss was computed of to the
layer's output. They accumulate into no `.grad`. The first looks that come through a layer ask, and some later ones, for
a model reads its rows as its code is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from gradreach.record.look import Look
from gradreach.record.seen.data import ReadAlong, RowReading
from gradreach.watch.graph import Graph, maker, mark, operation
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.loss_rows import rows_of
from gradreach.watch.seams import Back
from gradreach.watch.seldom import is_asked
from gradreach.watch.tensors import is_dense_and_real

MOST_CALLS = 1_000
FIRST_LOOKS = 6
_VIEWS = ("ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0")


@dataclass(frozen=True)
class _Layer:
    """One call of a layer: how it was laid out, and of each of its outputs whether it is (steps, entries, ·)."""

    module: nn.Module
    steps: int
    entries: int
    batch_first: bool
    is_scrambled: bool


class ReadRows(Lens):
    """Follows single rows of the loss back to the layer that was called last."""

    asks_the_loss = True

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._layers: list[_Layer] = []
        self._lengths: set[int] = set()
        self._mark = object()
        self._readings: tuple[RowReading, ...] = ()

    def called(self, call: ModuleCall) -> None:
        """Take in one call of a recurrent layer or of attention; of others the number of rows that they put out."""
        module = call.module
        if call.of_model and isinstance(call.output, Tensor) and 0 < call.output.dim() <= 2:
            self._lengths.add(call.output.shape[0])
        if not isinstance(module, (nn.RNNBase, nn.MultiheadAttention)) or len(self._layers) >= MOST_CALLS:
            return
        x = call.args[0] if call.args else call.kwargs.get("input", call.kwargs.get("query"))
        if not isinstance(x, Tensor) or x.dim() != 3 or not isinstance(call.output, tuple):
            return
        batch_first = bool(module.batch_first)
        entries, steps = (x.shape[0], x.shape[1]) if batch_first else (x.shape[1], x.shape[0])
        self._layers.append(_Layer(module, steps, entries, batch_first, _is_scrambled(x, batch_first)))
        states = call.output[1] if isinstance(module, nn.RNNBase) else None
        states = states if isinstance(states, tuple) else (states,)
        for kind, tensor in enumerate((call.output[0], *states)):
            if isinstance(tensor, Tensor) and (node := maker(tensor)) is not None and is_dense_and_real(tensor):
                mark(node, (self._mark, tensor.output_nr), (len(self._layers) - 1, kind))

    def before_backward(self, backward: BackwardPass) -> None:
        """Probe, where a further pass is seen by nobody but us."""
        if not self._layers or not self.step.may_pass_again(backward):
            return
        number, edges = self._last(backward.graph)
        is_turn = bool(edges) and self._is_turn_of(self._layers[number].module)
        for start, shape in rows_of(backward.losses) if is_turn else ():
            rows = sorted({1, shape[0] // 2, shape[0] - 1})
            sets = [self._read(start, shape, row, number, edges, backward.back) for row in rows]
            if all(sets):
                self._readings = (self._reading(number, shape, sets),)
                return

    def look(self, look: Look) -> Look:
        """The look's `readings`."""
        return replace(look, readings=self._readings)

    def _is_turn_of(self, module: nn.Module) -> bool:
        """Whether this look asks about a module; it counts as one that came through it."""
        looks: Counter[str] = self.step.carried.setdefault(ReadRows, Counter())
        path = self.step.models.path(module)
        looks[path] += 1
        return is_asked(looks[path] - 1, FIRST_LOOKS)

    def _last(self, graph: Graph) -> tuple[int, list[tuple[GradientEdge, int]]]:
        """The last call that the loss came through, and the edges of its outputs, each with its place."""
        found: dict[int, list[tuple[GradientEdge, int]]] = {}
        for node in graph.nodes:
            for key, value in node.metadata.items():
                if isinstance(key, tuple) and key[0] is self._mark:
                    found.setdefault(value[0], []).append((GradientEdge(node, key[1]), value[1]))
        last = max(found, default=-1)
        return last, found.get(last, [])

    def _read(
        self,
        start: GradientEdge,
        shape: Sequence[int],
        row: int,
        number: int,
        edges: Sequence[tuple[GradientEdge, int]],
        back: Back,
    ) -> dict[str, set[int]]:
        """Where one row of the loss reads the layer: its steps, or its states, and its entries."""
        metadata = start.node._input_metadata[start.output_nr]
        only = torch.zeros(tuple(shape), dtype=metadata.dtype, device=metadata.device)
        only[row] = torch.linspace(1.0, 2.0, prod(shape[1:]), dtype=only.dtype).reshape(tuple(shape[1:]))
        targets = [edge for edge, _ in edges]
        gradients = back([start], targets, [only])
        read: dict[str, set[int]] = {}
        layer = self._layers[number]
        for gradient, (_, kind) in zip(gradients, edges, strict=True):
            if gradient is None or gradient.dim() != 3:
                continue
            rows = gradient.ne(0).any(-1)
            rows = rows.transpose(0, 1) if layer.batch_first and not kind else rows
            for t, b in rows.nonzero().tolist():
                read.setdefault("entries", set()).add(b)
                read.setdefault("state" if kind else "steps", set()).add(t)
        return read

    def _reading(self, number: int, shape: Sequence[int], sets: Sequence[dict[str, set[int]]]) -> RowReading:
        layer = self._layers[number]
        rows, count = sorted({1, shape[0] // 2, shape[0] - 1}), shape[0]
        along: ReadAlong = "other"
        entries = [each["entries"] for each in sets]
        stepwise = count == layer.steps and all(
            s.get("steps") == {r} and "state" not in s for s, r in _both(sets, rows)
        )
        if stepwise:
            along = "steps"
        elif count == layer.entries and all(each == {row} for each, row in zip(entries, rows, strict=True)):
            along = "entries"
        columns = prod(shape[1:])
        return RowReading(
            self.step.models.path(layer.module),
            type(layer.module).__name__,
            layer.batch_first,
            layer.steps,
            layer.entries,
            count,
            along,
            max(map(len, entries)),
            layer.is_scrambled,
            columns != layer.entries and count in self._lengths,
        )


def _both(sets: Sequence[dict[str, set[int]]], rows: Sequence[int]) -> Iterator[tuple[dict[str, set[int]], int]]:
    return zip(sets, rows, strict=True)


def _is_scrambled(x: Tensor, batch_first: bool) -> bool:
    """Whether a layer's input has its first two axes exchanged by a view, which leaves each value in its place in
    memory and so puts it into another row."""
    node = maker(x)
    before: Any = None
    if node is not None and operation(node) in _VIEWS:
        before = getattr(node, "_saved_self_sym_sizes", None)
    elif node is None and x._base is not None and x._base.numel() == x.numel() and x._base.is_contiguous():
        before = x._base.shape
    if before is None or not x.is_contiguous() or min(x.shape[:2]) < 2 or x.shape[0] == x.shape[1]:
        return False
    if len(before) == 3 and tuple(before[:2]) == (x.shape[1], x.shape[0]):
        return True
    return not batch_first and len(before) >= 2 and before[0] == x.shape[1] and len(before) != 3
