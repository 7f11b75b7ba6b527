"""The script's own graph, read while it is whole: which operation first held or made a value that is not finite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gradreach.record.nonfinite import Cause
from gradreach.watch.graph import Node, parents
from gradreach.watch.nonfinite.divided import divided
from gradreach.watch.nonfinite.kept_calls import GIVEN
from gradreach.watch.nonfinite.operations import (
    EXPONENTIALS,
    Ground,
    key_of,
    moves,
    plain_word,
    why_not_finite,
)
from gradreach.watch.nonfinite.saved_values import edge_of, saved_tensors, saved_value
from gradreach.watch.nonfinite.values import first_bad, is_finite, is_mask, readable, value_of

IsReturned = Callable[[Node], bool]

HIDING = ("where", "maskedfill", "index", "maskedselect", "maskedscatter", "indexselect", "gather", "clamp")
"""Operations that choose among values: what they leave out of the value is still in the gradient, as 0 times it."""

FILLING = ("maskedfill", "where", "fill", "indexput", "scatter", "copyslices")
"""Operations that put values in; −∞ as a mask."""

_NEVER_NAN = (*EXPONENTIALS, "tanh", "sigmoid", "relu", "logsigmoid", "softplus")
"""Operations that make no NaN but of a NaN."""

_OF_TWO = ("pow", "mul", "div", "mm", "bmm", "addmm", "xlogy", "atan2")
_COMPUTED: dict[str, Callable[..., Tensor]] = {
    **{name: getattr(torch, name) for name in ("pow", "mul", "div", "mm", "bmm", "xlogy", "atan2")},
    **{name: getattr(torch, name) for name in ("log", "log2", "log10", "log1p", "acos", "asin", "prod")},
    **{name: getattr(torch, name) for name in ("acosh", "atanh", "erfinv", "logit", "square", "sum")},
    "addmm": torch.mm,
}

_DIFFERENCES = ("sub", "rsub", "mseloss", "l1loss", "smoothl1loss", "huberloss", "add", "binarycrossentropy")
_SHIFTS = ("add", "sub", "rsub")
_LOGARITHMS = "logsoftmax"
_FACTORS = ("mul", "div")
"""Operations by which a script weighs its loss with numbers of its own: advantages, masks, class weights."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the graph shows: why, the node's own name, and whether the value came in as a constant, which no
    operation of the graph computed. `number` is the node's place in forward order."""

    ground: Ground
    name: str
    number: int
    is_constant: bool = False


def read(losses: Sequence[Tensor], returned: IsReturned | None = None) -> Reading | None:
    """The first node in forward order that a non-finite value of `losses` came from; None where the graph tells none.

    Where `returned` tells which nodes models returned, what lies inside of the models is left out, and their outputs
    are taken for finite.
    """
    nodes, finite = nodes_of(losses, returned)
    consumers, value = consumers_of(nodes), value_of(losses)
    hidden = None
    for node in nodes:
        found = _judge(node, finite)
        if found is None:
            continue
        if _passes_a_mask_on(node, found):  # a label that is masked out makes the loss infinite, and not NaN
            hidden = hidden or (None if value == "nan" else found)
        elif found.is_constant or not is_hidden(node, consumers):
            return found
        hidden = hidden or found
    return hidden or _last(losses, nodes)


def consumers_of(nodes: Sequence[Node]) -> dict[Node, list[Node]]:
    """The nodes that each node's output goes to."""
    found: dict[Node, list[Node]] = {}
    for node in nodes:
        for parent, _ in node.next_functions:
            if parent is not None:
                found.setdefault(parent, []).append(node)
    return found


def is_hidden(node: Node, consumers: dict[Node, list[Node]]) -> bool:
    """Whether every use of a node's output is one that chooses among its values, a few moves on."""
    uses = consumers.get(node, [])
    for _ in range(3):
        uses = [u for use in uses for u in (consumers.get(use, []) if moves(use.name()) and not _hides(use) else [use])]
    return bool(uses) and all(_hides(use) for use in uses)


def _hides(node: Node) -> bool:
    return key_of(node.name()) in HIDING


def nodes_of(losses: Sequence[Tensor], returned: IsReturned | None = None) -> tuple[list[Node], set[Node]]:
    """The nodes behind the losses in forward order, but for leaves; and those that models returned, if that is told,
    inside of which the nodes are left out, up to what the models were given."""
    outside = {loss.grad_fn: None for loss in losses if loss.grad_fn is not None}
    borders: set[Node] = set()
    pending = [(node, False) for node in outside]
    seen = set(pending)
    for node, inside in pending:  # grows while it is walked
        if returned is not None and returned(node):
            borders.add(node)
            inside = True
        elif not inside:
            outside[node] = None
        for parent in parents(node):
            reached = parent, inside and GIVEN not in parent.metadata
            if reached not in seen:
                seen.add(reached)
                pending.append(reached)
    kept = [node for node in outside if node not in borders and not hasattr(node, "variable")]
    return sorted(kept, key=lambda node: node._sequence_nr()), borders


def _judge(node: Node, finite: set[Node]) -> Reading | None:
    """What a node shows by what it saved, by its own result, or by the result that follows from what it saved."""
    given, returned = saved_tensors(node)
    key, masked = key_of(node.name()), False
    for name, tensor in given.items():
        edge = edge_of(key, name)
        producer = node.next_functions[edge][0] if edge is not None and edge < len(node.next_functions) else None
        if readable(tensor) is None:
            continue
        if is_finite(tensor):
            if producer is not None:
                finite.add(producer)
        elif is_mask(tensor) and _is_filled(node if producer is None else producer):
            masked = True
        elif producer is None:
            return _constant(node, name, tensor)
        else:
            return _made_by(producer, tensor, finite)
    bad = next((tensor for tensor in returned.values() if not is_finite(tensor)), None)
    if masked and bad is not None and is_mask(bad):
        return None
    if bad is not None and key in _NEVER_NAN and value_of([bad]) == "nan" and node.next_functions[0][0] is not None:
        return _made_by(node.next_functions[0][0], bad, finite)
    result = bad if bad is not None else _result(node, given)
    if result is None or is_finite(result):
        return None
    return Reading(why_not_finite(node.name(), _arguments(node, given), result), node.name(), node._sequence_nr())


def _passes_a_mask_on(node: Node, found: Reading) -> bool:
    """Whether what was found is no more than log 0 of a class that is masked out, which is −∞ as it should be."""
    return key_of(node.name()) == _LOGARITHMS and found.ground.cause == "impossible label" and _is_filled(node)


def _is_filled(node: Node, steps: int = 4) -> bool:
    """Whether an infinity was put into a node's output on purpose, as a mask, a few steps before that pass it on."""
    key, before = key_of(node.name()), [parent for parent, _ in node.next_functions]
    if key in FILLING or (key in _SHIFTS and None in before):
        return True
    if steps == 0 or not (moves(node.name()) or key in (*_SHIFTS, _LOGARITHMS)):
        return False
    return any(parent is not None and _is_filled(parent, steps - 1) for parent in before)


def _result(node: Node, given: dict[str, Tensor]) -> Tensor | None:
    """The result of an operation that saved no more than its arguments, computed anew; None of any other."""
    key, (self, other) = key_of(node.name()), _arguments(node, given)
    if self is None and key == "div" and isinstance(other, Tensor) and bool((other == 0).any()):
        return other.double().reciprocal()
    compute = _COMPUTED.get(key)
    if compute is None or self is None or (other is None and key in _OF_TWO):
        return None
    try:
        return compute(self, other) if key in _OF_TWO else compute(self)
    except RuntimeError:  # shapes that the operation took in another way
        return None


def _arguments(node: Node, given: dict[str, Tensor]) -> list[Any]:
    """What a node was given, in the order of its arguments, as far as it was saved."""
    first = next((given[name] for name in ("mat1", "self", "input", "log_probs") if name in given), None)
    second = next((given[name] for name in ("mat2", "other", "target") if name in given), None)
    if second is None:
        second = saved_value(node, "exponent")
    return [first, second]


def _constant(node: Node, name: str, tensor: Tensor) -> Reading:
    key = key_of(node.name())
    cause: Cause = "apart" if key in _FACTORS else "inputs"
    if name == "target" or key in _DIFFERENCES:
        cause = "targets"
    return Reading(_came_in(node, tensor, cause), node.name(), node._sequence_nr(), is_constant=cause != "apart")


def _came_in(node: Node, tensor: Tensor, cause: Cause) -> Ground:
    plain = readable(tensor)
    index = () if plain is None else first_bad(plain) or ()
    argument = ""
    if cause == "inputs":
        cause, argument = divided(plain)
    return Ground(plain_word(node.name()), cause, value_of([tensor]) or "nan", argument, index, tuple(tensor.shape))


def _made_by(node: Node, output: Tensor, finite: set[Node]) -> Reading:
    """Why this node's output is not finite, of which no earlier node holds a sign."""
    while moves(node.name()) and (before := [p for p, _ in node.next_functions if p is not None]):
        if len(before) != 1 or hasattr(before[0], "variable"):
            break
        node = before[0]
    key, edges = key_of(node.name()), [parent for parent, _ in node.next_functions]
    known = all(parent is None or parent in finite or _is_sound_leaf(parent) for parent in edges)
    if known and None in edges and (key in _DIFFERENCES or value_of([output]) == "nan"):
        return Reading(_came_in(node, output, "targets"), node.name(), node._sequence_nr(), is_constant=True)
    given, _ = saved_tensors(node)
    ground = why_not_finite(node.name(), _arguments(node, given), output)
    if not ground.cause and key in _SHIFTS:
        ground = replace(ground, cause="infinity less infinity" if ground.value == "nan" else "overflow")
    return Reading(ground, node.name(), node._sequence_nr())


def _is_sound_leaf(node: Node) -> bool:
    return hasattr(node, "variable") and is_finite(node.variable)


def _last(losses: Sequence[Tensor], nodes: Sequence[Node]) -> Reading | None:
    """The operation nearest the loss that does more than move or sum up, where nothing before it shows a sign."""
    bad = next((loss for loss in losses if not is_finite(loss)), None)
    computing = [node for node in nodes if not moves(node.name())]
    if bad is None or not computing:
        return None
    node = computing[-1]
    given, _ = saved_tensors(node)
    return Reading(why_not_finite(node.name(), _arguments(node, given), bad), node.name(), node._sequence_nr())
