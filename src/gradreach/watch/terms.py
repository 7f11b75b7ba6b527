"""The terms that a loss is the sum of, read from the script's graph while it is whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from torch import Tensor

from gradreach.watch.comparisons import shape_of, turns
from gradreach.watch.graph import Node, is_leaf, maker, operation, parents
from gradreach.watch.nonfinite.operations import key_of, moves

MOST_TERMS = 8
MOST_NESTED = 64


@dataclass(frozen=True, slots=True)
class Term:
    """One term, by the node that made it, with its factor; `is_turned` says that the loss falls where it rises."""

    node: Node
    is_turned: bool


@dataclass(frozen=True, slots=True)
class LossSum:
    """The terms with a graph, in the order of the script, and whether something without one was added to them."""

    found: tuple[Term, ...]
    has_constant: bool

    @property
    def are_one(self) -> bool:
        """Whether the loss is no sum at all."""
        return len(self.found) == 1 and not self.has_constant


def terms_of(losses: Sequence[Tensor]) -> LossSum:
    """The terms of these losses together; what is summed over rows or columns is one term."""
    each = [_split(node, False, MOST_NESTED) for loss in losses if (node := maker(loss)) is not None]
    return LossSum(tuple(chain.from_iterable(terms.found for terms in each)), any(terms.has_constant for terms in each))


def _split(node: Node, turned: bool, depth: int) -> LossSum:
    whole = LossSum((Term(node, turned),), has_constant=False)
    key, edges = key_of(operation(node)), _summands(node)
    if not edges or depth == 0:
        return whole
    each = [
        LossSum((), has_constant=True) if edge is None else _split(edge, turned != turns(node, key, at), depth - 1)
        for at, edge in enumerate(edges)
    ]
    inner = LossSum(
        tuple(chain.from_iterable(terms.found for terms in each)), any(terms.has_constant for terms in each)
    )
    return inner if len(edges) > 1 or not inner.are_one else whole


def _summands(node: Node) -> Sequence[Node | None]:
    """What a single number is the sum of, or a multiple of; nothing where it is something else."""
    edges = [edge for edge, _ in node.next_functions]
    key, before = key_of(operation(node)), parents(node)
    if not _is_single(node):
        return ()
    if key in ("add", "sub", "rsub") and len(edges) == 2:
        return edges if all(edge is None or _is_single(edge) for edge in edges) else ()
    if key in ("mul", "div", "neg", "tocopy") or moves(operation(node)):
        return before if len(before) == 1 and not is_leaf(before[0]) else ()
    if key in ("sum", "mean") and len(before) == 1 and key_of(operation(before[0])) == "stack":
        stacked = [edge for edge, _ in before[0].next_functions]
        return stacked if all(edge is None or _is_single(edge) for edge in stacked) else ()
    return ()


def _is_single(node: Node) -> bool:
    return shape_of(node).count(1) == len(shape_of(node))
