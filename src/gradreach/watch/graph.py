"""What the script's own autograd graph tells before it is used up: leaves, activations, residual sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from gradreach.watch.own_work import OwnWork
from gradreach.watch.tensors import is_measurable

Node = Any
"""A torch.autograd.graph.Node; torch exports no precise type for what `grad_fn` returns."""

SLOPED = {"TanhBackward0": "tanh", "SigmoidBackward0": "sigmoid", "ReluBackward0": "relu"}
"""Activations whose output the graph keeps, so that their slope is known wherever they are called from."""

MOST_NODES = 100_000


@dataclass(frozen=True)
class Graph:
    """A walk from the loss to the leaves; `whole` is False where it was cut off at MOST_NODES."""

    nodes: tuple[Node, ...]
    leaves: tuple[Tensor, ...]
    whole: bool

    def activations(self) -> Iterator[tuple[Node, str]]:
        """The nodes of SLOPED activations, with the activation's name; not those that gate another value.

        A gate (of a cell, in GELU or SiLU) multiplies its output with something computed: it saturates by design.
        """
        gates = {gate for node in self.nodes if _multiplies(node) for gate in _factors(node)}
        for node in self.nodes:
            kind = SLOPED.get(operation(node))
            if kind is not None and node not in gates:
                yield node, kind

    def runs_functions_of_its_own(self) -> bool:
        """Whether a backward pass runs a function of the script's own, which may do anything but compute."""
        return any(isinstance(node, BackwardCFunction) for node in self.nodes)

    def has_skip_connections(self) -> bool:
        """Whether a sum joins a value with something computed from that very value (a residual connection)."""
        return any(_is_residual(node) for node in islice(_sums(self.nodes), 24))


def walk(tensors: Iterable[Tensor]) -> Graph:
    """Every node that a backward pass from these tensors would visit, nearest the loss first."""
    return walk_from([node for tensor in tensors if (node := maker(tensor)) is not None])


def walk_from(starts: Sequence[Node]) -> Graph:
    """Every node that a backward pass from these nodes would visit, nearest first."""
    pending = list(dict.fromkeys(starts))
    seen = set(pending)
    nodes: list[Node] = []
    leaves: list[Tensor] = []
    for node in pending:  # grows while it is walked: breadth first
        nodes.append(node)
        if len(nodes) >= MOST_NODES:
            break
        if is_leaf(node):
            leaves.append(node.variable)
        for parent in parents(node):
            if parent not in seen:
                seen.add(parent)
                pending.append(parent)
    return Graph(tuple(nodes), tuple(leaves), len(nodes) < MOST_NODES)


def parents(node: Node) -> list[Node]:
    """The nodes that this node's gradient goes to."""
    return [parent for parent, _ in node.next_functions if parent is not None]


def maker(tensor: Tensor) -> Node | None:
    """The node that made a tensor; None for a leaf, and for a view that torch cannot tell of since its base changed."""
    try:
        return tensor.grad_fn
    except RuntimeError:
        return None


def operation(node: Node) -> str:
    """A node's name, as "TanhBackward0"; a function of the script's own may keep anything under `node.name`."""
    name: str = type(node).name(node)
    return name


def is_leaf(node: Node) -> bool:
    """Whether a node stands for a leaf: it takes the gradient to the leaf's `grad`."""
    return not isinstance(node, BackwardCFunction) and hasattr(node, "variable")


def mark(node: Node, key: object, value: object) -> None:
    """Write on a node itself: the mark lives and dies with the script's graph, which nothing of ours keeps alive."""
    node.metadata[key] = value


def softmax_axis(node: Node) -> tuple[int, tuple[int, ...]]:
    """The axis that a softmax or log_softmax runs over, counted from the first, and its shape."""
    shape = tuple(node._input_metadata[0].shape)
    axis = int(node._saved_dim)  # torch keeps a negative one without its sign
    return (axis - 2**64 if axis >= 2**63 else axis) % max(len(shape), 1), shape


def nearest(node: Node, key: object, most: int = 16) -> Any | None:
    """The mark on this node, or on the nearest node that feeds it among the first few."""
    front, seen = [node], {node}
    for candidate in front:
        if key in candidate.metadata:
            return candidate.metadata[key]
        for parent in parents(candidate):
            if parent not in seen and len(seen) < most:
                seen.add(parent)
                front.append(parent)
    return None


def on_gradient(node: Node | None, output: int, take: Callable[[Tensor], None], own_work: OwnWork) -> None:
    """Call `take` with each measurable gradient that reaches one output of a node, by a hook on the node: the script's
    own tensor, its hooks and its pickles know nothing of it."""
    if node is None:
        return

    def gradient_arrives(gradients: tuple[Tensor | None, ...]) -> None:
        gradient = gradients[output]
        if gradient is not None and is_measurable(gradient):
            take(gradient)

    node.register_prehook(own_work.hook(gradient_arrives))


def trainable(leaves: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The leaves that training moves: the Parameters, or where a script has none every leaf."""
    parameters = tuple(leaf for leaf in leaves if isinstance(leaf, torch.nn.Parameter))
    return parameters or tuple(leaves)


def _multiplies(node: Node) -> bool:
    """Whether a product joins two computed values; a constant or a learned scale gates nothing."""
    both = parents(node)
    return operation(node) == "MulBackward0" and len(both) == 2 and not any(is_leaf(p) for p in both)


def _factors(product: Node) -> Iterator[Node]:
    """The nodes whose values a product joins, and what they are but shifted or scaled from, as in x (1 + tanh x)."""
    for node in parents(product):
        yield node
        for _ in range(3):
            before = parents(node)
            if (
                operation(node) not in ("AddBackward0", "SubBackward0", "MulBackward0", "NegBackward0")
                or len(before) != 1
            ):
                break
            node = before[0]
            yield node


def _sums(nodes: Iterable[Node]) -> Iterator[Node]:
    return (node for node in nodes if operation(node) == "AddBackward0" and len(parents(node)) == 2)


def _is_residual(node: Node) -> bool:
    first, second = node.next_functions
    return _leads_to(first[0], second) or _leads_to(second[0], first)


def _leads_to(start: Node, goal: tuple[Node, int], most: int = 48) -> bool:
    """Whether a node was computed from one very output of another, a few operations before."""
    if is_leaf(goal[0]):
        return False
    front, seen = [start], {start}
    for node in front:
        if len(seen) > most:
            return False
        for edge in node.next_functions:
            if edge == goal:
                return True
            if edge[0] is not None and edge[0] not in seen:
                seen.add(edge[0])
                front.append(edge[0])
    return False
