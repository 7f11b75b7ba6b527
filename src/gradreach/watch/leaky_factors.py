"""Outputs that a loss holds against targets and that stand, with their gradient, in a factor of log-probabilities too.

Such a factor is an advantage: the difference of what was reached and of what was predicted. The prediction is trained
towards what was reached; the term with the log-probabilities is to train the policy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod

from torch import Tensor

from gradreach.watch.comparisons import REDUCING, path_of, shape_of
from gradreach.watch.graph import Node, is_leaf, maker, operation, parents, walk_from
from gradreach.watch.log_densities import combines, log_density_of
from gradreach.watch.nonfinite.operations import key_of, moves
from gradreach.watch.nonfinite.saved_values import saved_value

MOST_NODES = 1024
MOST_FACTORS = 8192
MOST_PRODUCTS = 256

_ERRORS = ("mseloss", "smoothl1loss", "huberloss")
_OF_DIFFERENCES = ("pow", "square", "abs", "mul")


@dataclass(frozen=True, slots=True)
class WeightedDensity:
    """A product of log-probabilities and of something else with a gradient, by the node that made it; its edges to
    both, and what the parameters of the probabilities were computed by."""

    node: Node
    factor: int
    density: int
    policy: Node

    @property
    def weights(self) -> Tensor | None:
        """The numbers that the log-probabilities are multiplied with, where the graph holds them."""
        first, second = ("self", "tensor") if key_of(operation(self.node)) == "dot" else ("self", "other")
        saved = saved_value(self.node, first if self.factor == 0 else second)
        return saved if isinstance(saved, Tensor) else None


@dataclass(frozen=True, slots=True)
class Leak:
    """Outputs of one kind that stand in both places: the nodes that computed those that are `held` against targets, by
    these `errors`, and those that are `weighing` log-probabilities, in these `products`."""

    held: tuple[Node, ...]
    weighing: tuple[Node, ...]
    errors: tuple[Node, ...]
    products: tuple[WeightedDensity, ...]


@dataclass(slots=True)
class _Terms:
    errors: dict[Node, list[Node]] = field(default_factory=dict)
    products: list[WeightedDensity] = field(default_factory=list)


Owner = Callable[[Node], object]
"""Gives what stands for a node that computed an output: the node, or the layer that it was made in."""


def leak_of(losses: Sequence[Tensor], owner: Owner) -> Leak | None:
    """The outputs that these losses, of one backward pass, use in both ways; None where there are none."""
    terms = _terms(losses)
    if not terms.errors or not terms.products:
        return None
    compared = {owner(node) for node in terms.errors}
    weighing = tuple(dict.fromkeys(node for node in _subtracted(terms.products) if owner(node) in compared))
    if not weighing or not _are_of_their_own(weighing, terms.products):
        return None
    owners = {owner(node) for node in weighing}
    held = tuple(node for node in terms.errors if owner(node) in owners)
    errors = dict.fromkeys(error for node in held for error in terms.errors[node])
    return Leak(held, weighing, tuple(errors), tuple(terms.products))


def _terms(losses: Sequence[Tensor]) -> _Terms:
    """The errors that a loss is made of, by the nodes that computed what they hold against targets, and its weighted
    log-probabilities."""
    terms = _Terms()
    pending = [node for loss in losses if (node := maker(loss)) is not None]
    seen, asked = set(pending), 0
    for node in pending:  # grows while it is walked
        product = _weighted(node) if asked < MOST_PRODUCTS and _is_product(node) else None
        asked += _is_product(node)
        compared = _compared(node)
        if product is not None:
            terms.products.append(product)
        for start in compared:
            for output in _makers(start):
                terms.errors.setdefault(output, []).append(node)
        if product is not None or compared or is_leaf(node):
            continue
        if key_of(operation(node)) in REDUCING or moves(operation(node)):
            new = [parent for parent in parents(node) if parent not in seen][: max(MOST_NODES - len(seen), 0)]
            seen.update(new)
            pending += new
    return terms


def _is_product(node: Node) -> bool:
    return not is_leaf(node) and key_of(operation(node)) in ("mul", "dot") and len(parents(node)) == 2


def _weighted(node: Node) -> WeightedDensity | None:
    edges = [edge for edge, _ in node.next_functions]
    for density in (0, 1):
        policy = log_density_of(edges[density])
        if policy is not None and edges[0] is not edges[1]:
            return WeightedDensity(node, 1 - density, density, policy)
    return None


def _compared(node: Node) -> list[Node]:
    """What an error holds against a target, or two of which one is; nothing of a node that is no error."""
    if is_leaf(node):
        return []
    key, before = key_of(operation(node)), parents(node)
    if key in _ERRORS:
        return before
    if key not in _OF_DIFFERENCES or not before or (key == "pow" and saved_value(node, "exponent") != 2):
        return []
    if key == "mul" and (len(before) != 2 or before[0] is not before[1]):
        return []
    difference = path_of(before[0])[-1]
    return parents(difference) if key_of(operation(difference)) in ("sub", "rsub") else []


def _makers(start: Node) -> Iterator[Node]:
    """The nodes that computed what a node puts out, past all that only moves it or puts it together."""
    pending = [start]
    seen = {start}
    for node in pending:  # grows while it is walked
        before = [] if is_leaf(node) else parents(node)
        if (
            not before
            or not (moves(operation(node)) or key_of(operation(node)) == "tocopy")
            or any(map(is_leaf, before))
        ):
            yield node
            continue
        new = [parent for parent in before if parent not in seen][: max(MOST_NODES - len(seen), 0)]
        seen.update(new)
        pending += new


def _subtracted(products: Sequence[WeightedDensity]) -> Iterator[Node]:
    """The nodes behind the differences that the factors are made of."""
    pending = [
        (product.node.next_functions[product.factor][0], False, prod(shape_of(product.node)) == 1)
        for product in products
    ]
    seen = set(pending)
    for node, is_behind, is_single in pending:  # grows while it is walked
        if is_behind:
            yield node
        if combines(node) and len(seen) < MOST_FACTORS:
            behind = is_behind or _is_difference(node, is_single)
            new = [each for parent in parents(node) if (each := (parent, behind, is_single)) not in seen]
            seen.update(new)
            pending += new


def _is_difference(node: Node, is_single: bool) -> bool:
    """Whether a node takes one thing off another; what is taken off its own mean, or off one number for all rows, is
    none: that is how shares are turned round."""
    edges = [edge for edge, _ in node.next_functions]
    if key_of(operation(node)) not in ("sub", "rsub") or (len(edges) != 2 and not is_single):
        return False
    return not any(edge is not None and key_of(operation(path_of(edge)[-1])) == "mean" for edge in edges)


def _are_of_their_own(outputs: Sequence[Node], products: Sequence[WeightedDensity]) -> bool:
    """Whether the outputs have weights that the log-probabilities are not computed with."""
    policies = walk_from([product.node.next_functions[product.density][0] for product in products])
    behind = set(policies.nodes)
    if not policies.whole or any(output in behind for output in outputs):
        return False
    return any(is_leaf(node) and node not in behind for node in walk_from(outputs).nodes)
