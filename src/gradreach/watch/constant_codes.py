"""Constant codes of places: what modules add to sequences without a gradient, from what goes in and out of modules."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradreach.watch.comparisons import shape_of
from gradreach.watch.graph import Graph, Node, maker, mark, operation
from gradreach.watch.nonfinite.operations import key_of
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.place_codes import FEWEST_PLACES, PlaceCode, joins_sequences, reads_ids
from gradreach.watch.tensors import is_dense_and_real

MOST_KEPT = 16
MOST_CODES = 8
MOST_TABLES = 64
MOST_PLACES = 16
"""Places along each axis that are kept, from the first on."""

ROUNDINGS = 8
"""Roundings of the largest value by which a difference of sums may be off."""


@dataclass(frozen=True)
class _Constant:
    """What was added at the first places along an axis, (places, D); and by how much its numbers may be off."""

    axis: int
    values: Tensor
    off: float


class ConstantCodes:
    """Meets the tensors that modules are given and return, and keeps what is constant in the sums among them."""

    def __init__(self) -> None:
        self._recent: deque[tuple[Node, Tensor]] = deque(maxlen=MOST_KEPT)
        self._mark = object()
        self._found = 0

    def meet(self, tensors: Sequence[Tensor]) -> None:
        """Take in what a module was given, or returned."""
        for x in tensors:
            if x.dim() != 3 or not is_dense_and_real(x) or min(x.shape[:2]) < 2:
                continue
            node = maker(x)
            if node is None or any(node is other for other, _ in self._recent):
                continue
            self._recent.append((node, x.detach()[:MOST_PLACES, :MOST_PLACES].clone()))
            for total, value in list(self._recent):
                self._take(total, value)

    def forget(self) -> None:
        """Keep no tensor any longer."""
        self._recent.clear()

    def sums(self, graph: Graph) -> Iterator[Node]:
        """The nodes that add what was kept."""
        return (node for node in graph.nodes if isinstance(node.metadata.get(self._mark), _Constant))

    def code(self, node: Node, module: nn.Module | None) -> tuple[PlaceCode, str]:
        """The code at such a node, made in a module, and the name there of the table of constants that it begins."""
        constant: _Constant = node.metadata[self._mark]
        name, rows = ("", 0) if module is None else _table(module, constant, shape_of(node)[constant.axis])
        of_ids = reads_ids(node, shape_of(node)[:2])
        return PlaceCode(node, constant.axis, is_added=True, of_ids=of_ids, table_rows=rows), name

    @torch.no_grad()
    def _take(self, total: Node, value: Tensor) -> None:
        """Keep what a sum adds to a tensor that was met, if it is the same along one axis."""
        edges = total.next_functions
        if self._found >= MOST_CODES or self._mark in total.metadata or not joins_sequences(total):
            return
        if key_of(operation(total)) != "add" or sum(node is not None for node, _ in edges) != 1:
            return
        (before,) = (node for node, _ in edges if node is not None)
        features = self._value(before)
        if features is None or features.shape != value.shape:
            return
        off = ROUNDINGS * torch.finfo(value.dtype).eps * float(value.abs().max())
        mark(total, self._mark, _constant(value.float() - features.float(), off))
        self._found += 1

    def _value(self, node: Node) -> Tensor | None:
        """The value that a node made, if it was met, or is a multiple of one that was."""
        for other, value in self._recent:
            if other is node:
                return value
        if key_of(operation(node)) == "mul" and sum(parent is not None for parent, _ in node.next_functions) == 1:
            at = next(at for at, (parent, _) in enumerate(node.next_functions) if parent is not None)
            factor = saved_value(node, ("other", "self")[at])
            if isinstance(factor, Tensor) and factor.dim() == 0:
                for other, value in self._recent:
                    if other is node.next_functions[at][0]:
                        return value * factor
        return None


def _constant(added: Tensor, off: float) -> _Constant | None:
    for axis in (0, 1):
        values = added.select(1 - axis, 0)
        is_same = bool(((added - values.unsqueeze(1 - axis)).abs() <= off).all())
        differs = bool((values.diff(dim=0).abs().amax(1) > 2 * off).all())
        if is_same and differs and len(values) >= FEWEST_PLACES:
            return _Constant(axis, values, off)
    return None


def _table(module: nn.Module, constant: _Constant, size: int) -> tuple[str, int]:
    """The name and the rows of the longer table of constants in a module that begins with a code; else none."""
    places, width = constant.values.shape
    for number, (name, table) in enumerate(_constants(module)):
        if number >= MOST_TABLES:
            break
        wide = [length for length in table.shape[:-1] if length > 1]
        if len(wide) != 1 or wide[0] <= size or table.shape[-1] != width or table.device != constant.values.device:
            continue
        begins = table.detach().reshape(-1, width)[:places].float()
        if bool(((begins - constant.values).abs() <= constant.off).all()):
            return name, wide[0]
    return "", 0


def _constants(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for path, part in module.named_modules():
        own = {**part._buffers, **part._parameters, **vars(part)}
        for name, value in own.items():
            if isinstance(value, Tensor) and not value.requires_grad and is_dense_and_real(value) and value.dim() > 1:
                yield ".".join(filter(None, (path, name))), value
