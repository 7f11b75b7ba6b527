"""Codes that count along one of the first two axes of sequences of features, found in the graph where they are joined.

A code is what is added to features (X, Y, D), or laid beside them, and is the same at all places along one of the axes
X and Y. It counts where it is the beginning of a table: its rows one after the other, as far as the axis goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from gradreach.watch.comparisons import shape_of
from gradreach.watch.graph import Graph, Node, is_leaf, operation, parents
from gradreach.watch.nonfinite.operations import key_of
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.seams import Back

MOST_SUMS = 256
MOST_MOVES = 8
MOST_NEAR = 16
FEWEST_PLACES = 4

LAST_START = 2
"""The last number that a count of places begins with: some leave the first two for padding."""

_PARTS = (0.21, 0.4, 0.63, 0.84)
"""Where among the rows of the loss some are asked."""


@dataclass(frozen=True)
class PlaceCode:
    """What `node` joins to features, and differs along `axis` alone.

    It is the beginning of a table of `table_rows`, 0 where it is not known to be; `table` is this where autograd has
    it, and `ids` are the numbers that it was looked up by. `of_ids` says that the features are looked up by ids too.
    """

    node: Node
    axis: int
    is_added: bool
    of_ids: bool = False
    table_rows: int = 0
    table: Tensor | None = None
    ids: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the sequences."""
        return shape_of(self.node)


def learned_codes(graph: Graph) -> Iterator[PlaceCode]:
    """The codes with a gradient that sequences are joined with, nearest the data first."""
    for node in islice(filter(joins_sequences, reversed(graph.nodes)), MOST_SUMS):
        shape = shape_of(node)
        for parent in parents(node):
            if (found := _along(parent, shape)) is not None:
                code = PlaceCode(node, found[1], key_of(operation(node)) == "add", reads_ids(node, shape[:2]))
                yield _with_table(code, found[0])


def joins_sequences(node: Node) -> bool:
    """Whether a node adds to sequences of features, or lays something beside them, feature by feature."""
    key, shape = key_of(operation(node)), shape_of(node)
    if key not in ("add", "cat") or len(shape) != 3 or min(shape[:2]) < 2:
        return False
    return key == "add" or _signed(node._saved_dim) % 3 == 2


def is_along_rows(back: Back, code: PlaceCode, start: GradientEdge, shape: Sequence[int]) -> bool:
    """Whether a code counts rows that know nothing of one another, and whose places along the other axis do: numbers of
    the loss's rows, asked by short passes, each read one row and together several, and several places of it."""
    metadata, read = start.node._input_metadata[start.output_nr], []
    for part in _PARTS:
        only = torch.zeros(tuple(shape), dtype=metadata.dtype, device=metadata.device)
        only[tuple(int(part * size) for size in shape[:2])] = 1
        (gradient,) = back([start], [GradientEdge(code.node, 0)], [only])
        if gradient is None:
            return False
        read.append(gradient.ne(0).any(2).transpose(0, code.axis))
    rows = [mask.any(1).nonzero().flatten().tolist() for mask in read]
    several = [int(mask.any(0).sum()) > 1 for mask in read]
    return all(len(each) == 1 for each in rows) and len({each[0] for each in rows}) > 1 and any(several)


def _along(node: Node, shape: Sequence[int]) -> tuple[Node, int] | None:
    """The node that made a value which differs along one of the first two axes alone, and this axis."""
    for _ in range(MOST_MOVES):
        sizes = (1, 1, 1, *shape_of(node))[-3:-1]
        wide = [axis for axis in (0, 1) if sizes[axis] > 1]
        if len(shape_of(node)) > 3 or not wide:
            return None
        key = key_of(operation(node))
        if len(wide) == 1:
            return (node, wide[0]) if sizes[wide[0]] == shape[wide[0]] else None
        if key == "embedding":
            ids = saved_value(node, "indices")
            if not isinstance(ids, Tensor) or tuple(ids.shape) != tuple(shape[:2]):
                return None
            axes = [axis for axis in (0, 1) if bool((ids == ids.narrow(1 - axis, 0, 1)).all())]
            return (node, axes[0]) if len(axes) == 1 else None
        before = parents(node)
        if key not in ("expand", "repeat") or len(before) != 1:
            return None
        node = before[0]
    return None


def _with_table(code: PlaceCode, node: Node) -> PlaceCode:
    """The code with the table that it is the beginning of, if it is one."""
    size = code.shape[code.axis]
    for _ in range(MOST_MOVES):
        key = key_of(operation(node))
        if key == "embedding":
            return _looked_up(code, saved_value(node, "indices"), int(node._saved_weight_sym_argsize_0), node)
        before = parents(node)
        if len(before) != 1 or is_leaf(node):
            return code
        if key == "index":
            of = shape_of(before[0])
            return _looked_up(code, _only_index(node), of[0], node) if of else code
        if key == "slice" and (rows := _cut(node, size)) is not None:
            return replace(code, table_rows=rows, table=_leaf(node))
        node = before[0]
    return code


def _only_index(node: Node) -> Tensor | None:
    """The numbers that rows were taken by, where no other axis was taken from; not those of a graph that was freed."""
    try:
        indices: Sequence[Tensor | None] = node._saved_indices
    except RuntimeError:
        return None
    return indices[0] if len(indices) == 1 else None


def _looked_up(code: PlaceCode, ids: object, rows: int, node: Node) -> PlaceCode:
    size = code.shape[code.axis]
    if not isinstance(ids, Tensor) or ids.dtype == torch.bool:
        return code
    if ids.dim() == 2 and min(ids.shape) > 1:
        ids = ids.select(1 - code.axis, 0)
    ids = ids.flatten()
    if len(ids) != size or not counts(ids) or not 0 <= int(ids[0]) <= LAST_START:
        return code
    return replace(code, table_rows=rows, table=_leaf(node), ids=ids)


def counts(ids: Tensor) -> bool:
    """Whether each number is one more than the one before."""
    return bool((ids.diff() == 1).all())


def _cut(node: Node, size: int) -> int | None:
    """How long the axis was of which a node took so many places from the first on."""
    if _signed(node._saved_start) != 0 or node._saved_step != 1:
        return None
    axis, before = _signed(node._saved_dim), node._saved_self_sym_sizes
    return int(before[axis]) if before[axis] > size == shape_of(node)[axis] else None


def _leaf(node: Node) -> Tensor | None:
    """The leaf that a value is taken from."""
    for _ in range(MOST_MOVES):
        if is_leaf(node):
            leaf: Tensor = node.variable
            return leaf
        before = parents(node)
        if len(before) != 1:
            return None
        node = before[0]
    return None


def reads_ids(node: Node, shape: Sequence[int]) -> bool:
    """Whether what is near before a node is looked up by ids that differ along both axes."""
    near = [node]
    for each in near:  # grows while it is walked
        if key_of(operation(each)) == "embedding":
            ids = saved_value(each, "indices")
            if isinstance(ids, Tensor) and tuple(ids.shape) == tuple(shape) and _differs(ids):
                return True
        if len(near) < MOST_NEAR:
            near += [parent for parent in parents(each) if not is_leaf(parent)]
    return False


def _differs(ids: Tensor) -> bool:
    return all(bool((ids != ids.narrow(axis, 0, 1)).any()) for axis in (0, 1))


def _signed(number: int) -> int:
    """A number that torch keeps without its sign."""
    return number - 2**64 if number >= 2**63 else number
