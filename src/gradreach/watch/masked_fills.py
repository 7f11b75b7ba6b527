"""Which scores a script filled before a softmax, read from what the graph saved: masks of `masked_fill`, `where`."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

from gradreach.watch.comparisons import shape_of
from gradreach.watch.graph import Node, is_leaf, operation
from gradreach.watch.nonfinite.operations import key_of
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.tensors import is_dense

MOST_MOVES = 8
"""Operations that are followed from a softmax back to a fill."""

MOST_PLACES = 1 << 24
"""Places of a mask that is to take another shape."""

_SAME_PLACE = frozenset(
    {
        *("add", "alias", "clone", "div", "mul", "nativedropout", "reshape", "squeeze", "sub", "tocopy", "unsafeview"),
        *("unsqueeze", "view"),
    }
)
"""Operations that leave each number at its place: its scale, its format, what is added to it."""


@torch.no_grad()
def masked_fills(softmax: Node, shape: tuple[int, ...]) -> list[Tensor]:
    """Where the scores of a softmax of this shape were filled, as masks of that shape, that of the last fill first."""
    found = []
    for fill in _fills(softmax):
        mask, filled = _mask(fill), shape_of(fill)
        if mask is None:
            continue
        whole = mask.expand(filled)
        if filled == shape:
            found.append(whole)
        elif whole.numel() == prod(shape) and whole.numel() <= MOST_PLACES:
            found.append(whole.reshape(shape))
    return found


def _fills(softmax: Node) -> Iterator[Node]:
    """The fills on the way back from a softmax to what computed its scores."""
    node = _before(softmax)
    for _ in range(MOST_MOVES):
        if node is None or is_leaf(node):
            return
        key = key_of(operation(node))
        if key in ("maskedfill", "where"):
            yield node
        elif key not in _SAME_PLACE:
            return
        node = _before(node)


def _before(node: Node) -> Node | None:
    """What the numbers at these places came from: the one computed factor, of a sum the first computed summand."""
    edges = [parent for parent, _ in node.next_functions if parent is not None]
    if len(edges) > 1 and key_of(operation(node)) not in ("add", "sub"):
        return None
    first: Node | None = edges[0] if edges else None
    return first


def _mask(fill: Node) -> Tensor | None:
    """Where a fill put its value; None where a `where` chooses between two computed values."""
    key, edges = key_of(operation(fill)), fill.next_functions
    mask = saved_value(fill, "mask" if key == "maskedfill" else "condition")
    if not isinstance(mask, Tensor) or not is_dense(mask) or sum(parent is not None for parent, _ in edges) != 1:
        return None
    return ~mask.bool() if key == "where" and edges[0][0] is not None else mask.bool()
