"""Whether rows of a batch that should be independent feed one another: through a softmax over them, or a view.

The rows of a batch are followed back to the layers that are given the script's data, by short backward passes over the
script's own graph: from single rows of the loss, and from single places along the axis that a softmax runs over. They
accumulate into no `.grad`. The first few looks ask, and no later one: a model reads its rows as its code is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import prod

from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from gradreach.record.look import Look
from gradreach.record.seen.data import MixedByView, SoftmaxAxis
from gradreach.watch.graph import Graph, Node, maker, mark, operation, parents, softmax_axis
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.loss_rows import rows_of
from gradreach.watch.mixing_views import MixingView, mixing_view
from gradreach.watch.models import own_parameters
from gradreach.watch.row_sources import RowSource, RowsRead, are_rows, is_data, rows_read
from gradreach.watch.seams import Back
from gradreach.watch.tensors import first_tensor, is_dense_and_real, tensors_of

MOST_LOOKS = 4
MOST_CALLS = 64
MOST_SOFTMAXES = 4
MOST_RESULTS = 8
MOST_BATCHES = 3
MOST_NODES = 256
MOST_NUMBERS = 1 << 26
"""Numbers in what a pass begins from, for the memory that it takes: of more nothing is asked."""

SOFTMAXES = {"SoftmaxBackward0": "softmax", "LogSoftmaxBackward0": "log_softmax"}


@dataclass(frozen=True, slots=True)
class _RowsOfCall:
    """One result of a layer that has the rows of the batch, as `RowSource` has it; or a state that it ended in."""

    module: nn.Module
    shape: tuple[int, ...]
    is_given: bool
    is_state: bool


@dataclass(frozen=True, slots=True)
class _ReadByARow:
    """The rows of a layer, of `entries`, that one row of the loss reads, of `rows`."""

    module: nn.Module
    row: int
    rows: int
    entries: int
    read: frozenset[int]

    @property
    def are_others(self) -> bool:
        """Whether others are among them, in whichever order the rows of the loss lie."""
        return not any(self.read <= {own} for own in (self.row % self.entries, self.row * self.entries // self.rows))


class MixedRowsOfBatch(Lens):
    """Follows rows of the loss, and places along the axis of a softmax, to the layers that take the data in."""

    asks_the_loss = True

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._calls: list[_RowsOfCall] = []
        self._named = object()
        self._orders: set[bool] = set()
        self._mark = object()
        self._is_asked = step.carried.get(MixedRowsOfBatch, 0) < MOST_LOOKS
        self._mixed: tuple[MixedByView, ...] = ()
        self._softmaxes: tuple[SoftmaxAxis, ...] = ()

    def called(self, call: ModuleCall) -> None:
        """Take in one call of an innermost module with weights that was given data."""
        module = call.module
        if not call.of_model or not self._is_asked or len(self._calls) >= MOST_CALLS:
            return
        if isinstance(getattr(module, "batch_first", None), bool):
            self._orders.add(bool(module.batch_first))
        results = tensors_of(call.output)[:MOST_RESULTS]
        for y in results:
            if (node := maker(y)) is not None and self._named not in node.metadata:
                mark(node, self._named, module)
        x = first_tensor(*call.args, *call.kwargs.values())
        is_given = x is not None and is_data(x)
        if not module._modules and own_parameters(module) and (is_given or isinstance(module, nn.RNNBase)):
            self._take(module, results, is_given=is_given)

    def _take(self, module: nn.Module, results: Sequence[Tensor], *, is_given: bool) -> None:
        """The first result of a layer, and the states that a recurrence ends in."""
        for number, y in enumerate(results if isinstance(module, nn.RNNBase) else results[:1]):
            node, recurs = maker(y), number > 0 or not is_given
            if node is not None and is_dense_and_real(y) and y.dim() >= (3 if recurs else 2):
                mark(node, (self._mark, y.output_nr), len(self._calls))
                self._calls.append(_RowsOfCall(module, tuple(y.shape), is_given and not number, number > 0))

    def before_backward(self, backward: BackwardPass) -> None:
        """Probe, where a further pass is seen by nobody but us."""
        graph = backward.graph
        if not self._calls or not graph.whole or not self.step.may_pass_again(backward):
            return
        self.step.carried[MixedRowsOfBatch] = self.step.carried.get(MixedRowsOfBatch, 0) + 1
        found = next(rows_of(backward.losses, most_axes=4), None)
        if found is None or prod(found[1]) > MOST_NUMBERS:
            return
        rows = found[1][0]
        sources = [each for each in self._sources(graph, rows) if are_rows(each, rows)]
        read = _read_by_the_loss(backward.back, *found, sources) if sources else []
        if any(each.are_others for each in read):
            self._mixed = tuple(self._mixing_views(backward, *found, sources))
        several = {each.module for each in read if len(each.read) > 1}
        if sure := [each for each in sources if each.is_given and each.is_sure]:
            self._softmaxes = tuple(self._read_along_softmaxes(backward, sure, several))

    def look(self, look: Look) -> Look:
        """The look's `mixed_by_views` and `softmaxes`."""
        return replace(look, mixed_by_views=self._mixed, softmaxes=self._softmaxes)

    def _sources(self, graph: Graph, rows: int) -> Iterator[RowSource]:
        """The calls that the loss came through, each with every axis along which its rows may lie."""
        for node in graph.nodes:
            for key, number in node.metadata.items():
                if isinstance(key, tuple) and key[0] is self._mark:
                    call, edge = self._calls[number], GradientEdge(node, key[1])
                    axes = self._axes(call, rows)
                    for axis in axes:
                        size, recurs = call.shape[axis], isinstance(call.module, nn.RNNBase)
                        is_plain = call.shape[:-1].count(size) == 1
                        yield RowSource(edge, call.module, axis, size, len(axes) == 1, is_plain, call.is_given, recurs)

    def _axes(self, call: _RowsOfCall, rows: int) -> tuple[int, ...]:
        """Sequences come as (B, T, ·) or (T, B, ·); which of them is told by the layer, or by what has as many rows."""
        module, shape = call.module, call.shape
        if len(shape) != 3 or isinstance(module, nn.modules.conv._ConvNd):
            return (0,)
        if isinstance(module, nn.RNNBase):
            return (0 if module.batch_first and not call.is_state else 1,)
        in_all = [size for size in shape[:2] if all(size in each.shape[:2] for each in self._calls if each.is_given)]
        for sizes in ([rows], in_all):
            if len(sizes) == 1 and shape[:2].count(sizes[0]) == 1:
                return (shape[:2].index(sizes[0]),)
        return (0, 1) if False in self._orders else (0,)

    def _mixing_views(
        self, backward: BackwardPass, start: GradientEdge, shape: Sequence[int], sources: Sequence[RowSource]
    ) -> Iterator[MixedByView]:
        """The view that mixes the rows of each batch that was given."""
        for batch in list(dict.fromkeys(each.rows for each in sources))[:MOST_BATCHES]:
            found = mixing_view(backward, start, shape, batch, sources)
            if found is not None:
                yield self._told(backward.graph, found, batch)

    def _told(self, graph: Graph, found: MixingView, batch: int) -> MixedByView:
        module = self.step.spans.module_of(found.node._sequence_nr())
        before, behind = self._nearest(found.node, parents), self._nearest(found.node, _users(graph))
        return MixedByView(
            *(("", "") if module is None else (self.step.models.path(module), type(module).__name__)),
            *before, *behind, found.shape_in, found.shape_out, found.axis_in, found.axis_out, batch,
            asked=len(found.rows),
            own=sum(row in read for row, read in found.rows),
            read=max(len(read - {row}) for row, read in found.rows),
        )  # fmt: skip

    def _nearest(self, node: Node, to: Callable[[Node], Sequence[Node]]) -> tuple[str, str]:
        """The module that made the value nearest to a node on one side, and its kind; empty where none is near."""
        front, seen = [node], {node}
        for each in front:  # grows while it is walked
            module = each.metadata.get(self._named) if each is not node else None
            if module is not None:
                return self.step.models.path(module), type(module).__name__
            for other in to(each) if len(front) < MOST_NODES else ():
                if other not in seen:
                    seen.add(other)
                    front.append(other)
        return "", ""

    def _read_along_softmaxes(
        self, backward: BackwardPass, sources: Sequence[RowSource], mixed: set[nn.Module]
    ) -> Iterator[SoftmaxAxis]:
        """Of softmaxes along an axis that may be that of the rows whether it is, each kind and shape once."""
        softmaxes = {
            (operation(node), *softmax_axis(node)): node
            for node in backward.graph.nodes
            if operation(node) in SOFTMAXES
        }
        possible = ((key, node) for key, node in softmaxes.items() if _may_be_rows(*key[1:], sources))
        for (name, axis, shape), node in islice(possible, MOST_SOFTMAXES):
            parent, at = node.next_functions[0]
            places = (0, shape[axis] // 2, shape[axis] - 1)
            edge = GradientEdge(parent, at)
            sets = [rows_read(backward.back, edge, shape, axis, place, sources) for place in places]
            apart = {module for module, _ in _read_apart(sets)}
            module = self.step.spans.module_of(node._sequence_nr())
            path, kind = ("", "") if module is None else (self.step.models.path(module), type(module).__name__)
            yield SoftmaxAxis(SOFTMAXES[name], path, kind, shape, axis, bool(apart & mixed))


def _read_by_the_loss(
    back: Back, start: GradientEdge, shape: Sequence[int], sources: Sequence[RowSource]
) -> list[_ReadByARow]:
    """What two rows from the inside of the loss read: the first and the last might read right by chance."""
    sizes = {(each.module, each.axis): each.rows for each in sources}
    return [
        _ReadByARow(layer[0], row, shape[0], sizes[layer], frozenset(read))
        for row in sorted({shape[0] // 3, 2 * shape[0] // 3})
        for layer, read in rows_read(back, start, shape, 0, row, sources).items()
    ]


def _users(graph: Graph) -> Callable[[Node], Sequence[Node]]:
    """What gives the nodes that take in what a node put out."""
    users: dict[Node, list[Node]] = {}
    for node in graph.nodes:
        for parent in parents(node):
            users.setdefault(parent, []).append(node)
    return lambda node: users.get(node, [])


def _read_apart(sets: Sequence[RowsRead]) -> list[tuple[nn.Module, int]]:
    """The layers of which each place reads rows that no other place reads; none where all read the same of another
    layer, as a row of scores reads the query that all of them belong to."""
    layers = list(dict.fromkeys(layer for each in sets for layer in each))
    read = {layer: [each.get(layer, set()) for each in sets] for layer in layers}
    if any(all(each) and all(rows == each[0] for rows in each) for each in read.values()):
        return []
    return [layer for layer, each in read.items() if all(each) and sum(map(len, each)) == len(set.union(*each))]


def _may_be_rows(axis: int, shape: Sequence[int], sources: Sequence[RowSource]) -> bool:
    """Whether an axis may have the rows of the batch. A square of scores holds each row against each other one, and a
    single row of scores weighs the rows: both are meant."""
    size = shape[axis] if shape else 0
    return (
        MOST_NUMBERS >= prod(shape) > size
        and shape.count(size) == 1
        and any(are_rows(source, size) for source in sources)
    )
