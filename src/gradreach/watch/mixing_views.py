"""The view that mixes the rows of a batch, found between what its data and what its loss say of the axis of the rows.

Of the value before the view, row j along one axis is computed from row j of the data and no other, or each row that
comes a batch later is as well; of that behind it, row i of the loss reads place i along an axis as long as the batch
alone. Where this place is made of yet other rows of the value before, the view has mixed them: it moves nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod

from torch import Tensor
from torch.autograd.graph import GradientEdge

from gradreach.watch.graph import Graph, Node, operation
from gradreach.watch.lens import BackwardPass
from gradreach.watch.row_sources import RowSource, of_one_place, places, rows_read
from gradreach.watch.seams import Back

_VIEWS = ("ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0")
_PARTS = (0.21, 0.4, 0.63, 0.84)
"""Where among the rows of the loss some are asked: the first and the last of a batch, and the thirds of one that is cut
in two, may lie right by chance."""

MOST_VIEWS = 128
MOST_NUMBERS = 1 << 24
"""Numbers in all views together that are asked, for the memory that the gradients take."""

MOST_TRIED = 8


@dataclass(frozen=True)
class MixingView:
    """A view by which rows are mixed: those of the data lie along `axis_in` before it, those of the loss along
    `axis_out` behind it. Each row asked, by its number in the batch, reads these `rows` of what comes before."""

    node: Node
    axis_in: int
    axis_out: int
    rows: tuple[tuple[int, frozenset[int]], ...]

    @property
    def shape_in(self) -> tuple[int, ...]:
        """The shape before."""
        return _shape_in(self.node)

    @property
    def shape_out(self) -> tuple[int, ...]:
        """The shape behind."""
        return _shape_out(self.node)

    def is_of_rows(self, back: Back, sources: Sequence[RowSource], batch: int) -> bool:
        """Whether each of two rows before it is computed from that row of the batch, and from no other."""
        shape, edge = self.shape_in, GradientEdge(*self.node.next_functions[0])
        middle = shape[self.axis_in] // batch // 2 * batch
        for row in (batch // 3, 2 * batch // 3):
            found = rows_read(back, edge, shape, self.axis_in, middle + row, sources).values()
            if not any(found) or any(rows - {row} for rows in found):
                return False
        return True


Read = dict[int, set[int]]
"""Along each axis that may be that of the rows, the rows of the batch that are read."""


@dataclass(frozen=True)
class _View:
    """A view, and what each row of the loss that is asked reads before and behind it."""

    node: Node
    before: Sequence[Read]
    behind: Sequence[Read]

    def mixing(self, own: Sequence[int]) -> Iterator[MixingView]:
        """Every way in which it may mix rows: behind it each reads its own alone, before it most read others."""
        for axis_out in self.behind[0]:
            behind = [each[axis_out] for each in self.behind]
            if sum(map(bool, behind)) < 2 or any(each - {row} for each, row in zip(behind, own, strict=True)):
                continue
            for axis_in in self.before[0]:
                rows = [(row, frozenset(each[axis_in])) for row, each in zip(own, self.before, strict=True)]
                if 2 * sum(bool(each - {row}) for row, each in rows) >= len(rows):
                    yield MixingView(self.node, axis_in, axis_out, tuple(rows))


def mixing_view(
    backward: BackwardPass, start: GradientEdge, shape: Sequence[int], batch: int, sources: Sequence[RowSource]
) -> MixingView | None:
    """The view nearest the loss that mixes the rows of a batch of this size; None where none surely does."""
    of_batch = [each for each in sources if each.rows == batch and each.is_plain]
    nodes = list(_views(backward.graph, batch)) if of_batch else []
    if not nodes:
        return None
    asked = _asked(shape[0], batch)
    views = _seen(backward.back, nodes, start, shape, batch, asked)
    possible = (found for own in _owns(asked, shape[0], batch) for view in views for found in view.mixing(own))
    recurrent = [each for each in of_batch if each.recurs]
    ways = [way for way in (recurrent, of_batch) if way]
    tried = islice(possible, MOST_TRIED)
    return next((each for each in tried if any(each.is_of_rows(backward.back, way, batch) for way in ways)), None)


def _asked(rows: int, batch: int) -> list[int]:
    places_asked = (int(part * rows) for part in _PARTS)
    return sorted({row - row % batch + min(max(row % batch, 1), batch - 2) for row in places_asked})


def _owns(asked: Sequence[int], rows: int, batch: int) -> list[list[int]]:
    """Which row of the batch each row of the loss that is asked belongs to, in either order that they may have."""
    orders = [row % batch for row in asked], [row * batch // rows for row in asked]
    return [list(each) for each in dict.fromkeys(map(tuple, orders)) if len(set(each)) > 1]


def _views(graph: Graph, batch: int) -> Iterator[Node]:
    """The views with an axis that may be that of the rows on both sides, nearest the loss first."""
    numbers = 0
    for node in islice((node for node in graph.nodes if operation(node) in _VIEWS), MOST_VIEWS):
        numbers += prod(_shape_out(node))
        if numbers > MOST_NUMBERS:
            return
        if _axes_in(_shape_in(node), batch) and _axes_out(_shape_out(node), batch):
            yield node


def _seen(
    back: Back, nodes: Sequence[Node], start: GradientEdge, shape: Sequence[int], batch: int, asked: Sequence[int]
) -> list[_View]:
    edges = [GradientEdge(node, 0) for node in nodes]
    before: list[list[Read]] = [[] for _ in nodes]
    behind: list[list[Read]] = [[] for _ in nodes]
    for row in asked:
        for at, gradient in enumerate(of_one_place(back, start, shape, 0, row, edges)):
            axes_in, axes_out = _axes_in(_shape_in(nodes[at]), batch), _axes_out(_shape_out(nodes[at]), batch)
            before[at].append(_read(gradient, _shape_in(nodes[at]), axes_in, batch))
            behind[at].append(_read(gradient, _shape_out(nodes[at]), axes_out, batch))
    return [_View(node, before[at], behind[at]) for at, node in enumerate(nodes)]


def _read(gradient: Tensor | None, shape: tuple[int, ...], axes: Sequence[int], batch: int) -> Read:
    if gradient is None:
        return {axis: set() for axis in axes}
    mask = gradient.ne(0).reshape(shape)
    return {axis: {place % batch for place in places(mask, axis)} for axis in axes}


def _axes_out(shape: tuple[int, ...], batch: int) -> tuple[int, ...]:
    """The axis as long as the batch; none where two are, but for that of features, the last."""
    in_front = shape[:-1] or shape
    return (in_front.index(batch),) if in_front.count(batch) == 1 else ()


def _axes_in(shape: tuple[int, ...], batch: int) -> tuple[int, ...]:
    """That axis, and the first one where the batch may lie in it several times, one behind the other."""
    folded = (0,) if len(shape) > 1 and shape[0] > batch and shape[0] % batch == 0 else ()
    return tuple(dict.fromkeys((*_axes_out(shape, batch), *folded)))


def _shape_in(node: Node) -> tuple[int, ...]:
    return tuple(int(size) for size in node._saved_self_sym_sizes)


def _shape_out(node: Node) -> tuple[int, ...]:
    return tuple(int(size) for size in node._input_metadata[0].shape)
