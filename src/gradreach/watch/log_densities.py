"""Where a factor of a loss is made of log-probabilities: of classes, of a coin, or of a Gaussian."""

from __future__ import annotations

from gradreach.watch.comparisons import REDUCING, path_of
from gradreach.watch.graph import Node, is_leaf, operation, parents
from gradreach.watch.nonfinite.operations import key_of, moves
from gradreach.watch.nonfinite.saved_values import saved_value

MOST_NODES = 256

_COMBINED = REDUCING | {"exp"}
"""What makes one factor of several log-probabilities, as sums over time and ratios of probabilities do."""

_LIKELIHOODS = ("nllloss", "nllloss2d", "binarycrossentropy", "binarycrossentropywithlogits")

_KEPT = ("clamp", "div", "add")
"""What a probability may go through before its logarithm is taken."""

EACH = 0
"""The saved number of `reduction="none"`."""


def log_density_of(factor: Node) -> Node | None:
    """What the parameters of a log-probability behind a factor were computed by; None where none is found."""
    pending = [factor]
    seen = {factor}
    while pending:  # the deepest first: sums over many steps hold one on each way
        node = pending.pop()
        found = _parameters(node)
        if found is not None:
            return _computed(found)
        if combines(node) and len(seen) < MOST_NODES:
            new = [parent for parent in parents(node) if parent not in seen]
            seen.update(new)
            pending += reversed(new)
    return None


def combines(node: Node) -> bool:
    """Whether a node puts a factor together by sums, multiples, means or exponentials, or only moves it."""
    return not is_leaf(node) and (key_of(operation(node)) in _COMBINED or moves(operation(node)))


def _computed(node: Node) -> Node:
    """The node that computed what a likelihood is given, past a log_softmax before it."""
    last = path_of(node)[-1]
    before = [parent for parent in parents(last) if not is_leaf(parent)]
    return path_of(before[0])[-1] if before and key_of(operation(last)) == "logsoftmax" else last


def _parameters(node: Node) -> Node | None:
    """Of a node that gives logarithms of probabilities what these are of; None of any other node."""
    if is_leaf(node):
        return None
    key, before = key_of(operation(node)), [parent for parent in parents(node) if not is_leaf(parent)]
    if key in ("logsoftmax", "logsigmoid"):
        return before[0] if before else None
    if key in _LIKELIHOODS:
        return before[0] if before and saved_value(node, "reduction") == EACH else None
    if key == "log":
        return _shares(before[0]) if before else None
    return (_normalised(node) or _of_gaussian(before)) if key == "sub" else None


def _shares(node: Node) -> Node | None:
    """The softmax or sigmoid that a node comes from."""
    for _ in range(4):
        last = path_of(node)[-1]
        key, before = key_of(operation(last)), [parent for parent in parents(last) if not is_leaf(parent)]
        if key in ("softmax", "sigmoid"):
            return before[0] if before else None
        if key not in _KEPT or not before:
            return None
        node = before[0]
    return None


def _normalised(node: Node) -> Node | None:
    """The logits that a node takes the logarithm of the sum of exponentials off."""
    logits, whole = (edge for edge, _ in node.next_functions) if len(node.next_functions) == 2 else (None, None)
    if logits is None or whole is None:
        return None
    return logits if key_of(operation(path_of(whole)[-1])) == "logsumexp" and not is_leaf(logits) else None


def _of_gaussian(before: list[Node]) -> Node | None:
    """The mean of a Gaussian: −(x − μ)² / 2σ², off which its other terms are taken."""
    node, is_negative = (before[0] if before else None), False
    for _ in range(8):
        if node is None or is_leaf(node):
            return None
        key, edges = key_of(operation(node)), [parent for parent in parents(node) if not is_leaf(parent)]
        if key == "pow":
            return _mean(edges[0]) if is_negative and edges else None
        if not edges or key not in ("neg", "div", "mul", "sub", "sum"):
            return None
        is_negative = is_negative or key == "neg"
        node = edges[0]
    return None


def _mean(difference: Node) -> Node | None:
    edges = [parent for parent in parents(difference) if not is_leaf(parent)]
    return edges[0] if edges and key_of(operation(difference)) in ("sub", "rsub") else None
