"""What a loss is the sum of, down to the first operation on each way that is not linear, and which of these summands
are made of outputs of layers alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gradreach.watch.comparisons import IN_ORDER, ValueOf, shape_of, turns
from gradreach.watch.graph import Node, is_leaf, maker, operation, parents, softmax_axis
from gradreach.watch.nonfinite.operations import key_of
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.tensors import is_dense_and_real

MOST_NODES = 512

FEWEST_ALIKE = 4
"""Numbers that must have got the same addend for it to be a constant."""

PRECISION = 1e-5
"""Part of the numbers up to which what was added to them is known."""

_ADDING = frozenset({"add", "sub", "rsub"})
_SCALING = frozenset({"mul", "div"})

_LINEAR = IN_ORDER | {"cat", "expand", "mean", "neg", "permute", "stack", "sum", "t", "transpose"} | _ADDING

_OF_EACH_NUMBER = frozenset(
    {
        *("abs", "clamp", "elu", "erf", "exp", "expm1", "gelu", "hardtanh", "leakyrelu", "log", "log10", "log1p"),
        *("log2", "logsigmoid", "neg", "pow", "reciprocal", "relu", "rsqrt", "sigmoid", "silu", "softplus", "sqrt"),
        *("square", "tanh"),
    }
)
"""Operations that make of each number one number."""

PARTS = frozenset({"select", "slice", "split", "splitwithsizes"})
"""Operations that pick some of the numbers."""

_ALONG_AN_AXIS = PARTS | {"linalgvectornorm", "logsoftmax", "mean", "softmax", "sum"}

TWO_SIDED = frozenset({"abs", "linalgvectornorm", "pow", "square"})
"""Operations that rise on either side of some value."""

MOST_FACTORS = 1 << 22
"""Numbers of a factor that are held against each other."""

_KEEP_THEIR_INPUT = frozenset({"abs", "clamp", "log", "log1p", "log2", "log10", "logsigmoid", "pow", "softplus"})

_PRODUCTS = frozenset({"addmm", "convolution", "linear", "mm"})


def summands_of(losses: Sequence[Tensor], compared: Collection[Node]) -> dict[Node, bool]:
    """The nodes that the losses are a linear function of, and whether the losses fall where they rise; a comparison is
    one."""
    turned = {node: False for loss in losses if (node := maker(loss)) is not None}
    pending = list(turned)
    found: dict[Node, bool] = {}
    for node in pending:  # grows while it is walked
        if node in compared or is_leaf(node) or len(pending) >= MOST_NODES or not _is_linear(node):
            found[node] = turned[node]
            continue
        for edge, (before, _) in enumerate(node.next_functions):
            if before is not None and before not in turned:
                turned[before] = turned[node] != turns(node, key_of(operation(node)), edge)
                pending.append(before)
    return found


def _is_linear(node: Node) -> bool:
    """Whether a node is a linear function of what comes to it, with the same factor for all numbers."""
    key = key_of(operation(node))
    return key in _LINEAR or (key in _SCALING and len(parents(node)) == 1 and _has_one_factor(node))


@dataclass(frozen=True, slots=True)
class RowFunction:
    """A summand that is one function, for each row, of constants and of the outputs of `layers`: where its least lies
    says nothing about the data. `is_two_sided` says that something in it rises on either side of a value."""

    layers: tuple[Node, ...]
    is_two_sided: bool


def row_function(summand: Node, value_of: ValueOf) -> RowFunction | None:
    """A summand as such a function; None where data enter, rows meet, or an operation is not known."""
    pending, layers = [summand], list[Node]()
    users: dict[Node, Node] = {}
    for node in pending:  # grows while it is walked
        if weights_of(node):
            layers.append(node)
            continue
        before = None if is_leaf(node) or len(pending) > MOST_NODES else _row_by_row(node, users, value_of)
        if before is None:
            return None
        for each in dict.fromkeys(before):
            if each is not summand and each not in users:
                users[each] = node
                pending.append(each)
    between = [node for node in pending if node not in layers]
    return RowFunction(tuple(layers), any(map(_is_two_sided, between))) if _knows_its_axes(between) else None


def _is_two_sided(node: Node) -> bool:
    key, before = key_of(operation(node)), parents(node)
    return key in TWO_SIDED or (key == "mul" and len(before) == 2 and before[0] is before[1])


def _knows_its_axes(nodes: Sequence[Node]) -> bool:
    """Whether what runs along one axis runs along the features that a layer put out: no view stands between."""
    along = [node for node in nodes if key_of(operation(node)) in _ALONG_AN_AXIS]
    shapes = [(shape_of(node), shape_of(parents(node)[0])) for node in nodes if key_of(operation(node)) in IN_ORDER]
    if any(len(shape_of(parents(node)[0])) == 4 for node in along):
        return all(after == before for after, before in shapes)
    return not along or all(after[-1:] == before[-1:] for after, before in shapes)


def weights_of(node: Node) -> list[Node]:
    """The leaves that a product with trained weights has as its own: the weight and the bias; none of other nodes."""
    if is_leaf(node) or key_of(operation(node)) not in _PRODUCTS:
        return []
    leaves = [_leaf(each) for each in parents(node)]
    return [each for each in leaves if each is not None]


def _leaf(node: Node) -> Node | None:
    """The leaf that a node only turns or converts."""
    for _ in range(4):
        if is_leaf(node):
            return node
        before = parents(node)
        if key_of(operation(node)) not in ("t", "transpose", "tocopy", "view") or len(before) != 1:
            return None
        node = before[0]
    return None


def _row_by_row(node: Node, users: Mapping[Node, Node], value_of: ValueOf) -> list[Node] | None:
    """What a node is a function of, the same one for each row; None where that cannot be told."""
    key, before, shape = key_of(operation(node)), parents(node), shape_of(node)
    is_one = len(node.next_functions) == 1
    if key in ("add", "sub", "rsub", *_SCALING):
        if is_one or len(before) == 2:
            return before if all(shape_of(each) == shape for each in before) else None
        if key in _SCALING:
            return before if _has_one_factor(node) else None
        return before if _has_one_addend(node, users, value_of) else None
    if not is_one or len(before) != 1:
        return None
    if key in IN_ORDER:
        return before if _keeps_rows(shape, shape_of(before[0])) else None
    if key in _OF_EACH_NUMBER:
        return before if not isinstance(saved_value(node, "exponent"), Tensor) else None
    if key in ("softmax", "logsoftmax"):
        return before if softmax_axis(node)[0] > 0 else None
    return before if _is_over_last_axis(node, key, shape_of(before[0])) else None


def _keeps_rows(shape: tuple[int, ...], before: tuple[int, ...]) -> bool:
    """Whether a value that was laid out anew has its rows as they were, or its columns."""
    return not shape or not before or shape[0] == before[0] or shape[-1] == before[-1]


def _is_over_last_axis(node: Node, key: str, shape: tuple[int, ...]) -> bool:
    """Whether a node takes together, or picks, numbers of one row: along the last axis, or the channels of images."""
    axes = saved_value(node, "dim")
    if key not in (*PARTS, "sum", "mean", "linalgvectornorm") or axes is None or len(shape) < 2:
        return False
    counted = {_signed(each) % len(shape) for each in (axes if isinstance(axes, (tuple, list)) else (axes,))}
    return counted == {len(shape) - 1} or (counted == {1} and len(shape) == 4)


def _signed(axis: int) -> int:
    """Torch keeps a negative axis without its sign."""
    return axis - (1 << 64) if axis >= 1 << 63 else axis


def _has_one_factor(node: Node) -> bool:
    """Whether all numbers of a product or quotient with a constant have the same one."""
    factor = saved_value(node, "self" if node.next_functions[0][0] is None else "other")
    if not isinstance(factor, Tensor) or not factor.numel() or factor.is_complex() or not _is_plain(factor):
        return False
    is_alike = factor.numel() <= MOST_FACTORS and bool((factor == factor.flatten()[0]).all())
    return factor.numel() == 1 or is_alike


def _is_plain(tensor: Tensor) -> bool:
    return is_dense_and_real(tensor) or tensor.dim() == 0


def _has_one_addend(node: Node, users: Mapping[Node, Node], value_of: ValueOf) -> bool:
    """Whether all numbers got the same addend, from the values before and behind where the graph has both."""
    before = parents(node)[0]
    if key_of(operation(node)) == "rsub":
        return False
    result, given = _value(node, users, value_of), _value(before, {**users, before: node}, value_of)
    if result is None or given is None or result.shape != given.shape or result.numel() < FEWEST_ALIKE:
        return False
    is_taken = key_of(operation(node)) == "sub" and node.next_functions[0][0] is None
    added = result.double() + given.double() if is_taken else result.double() - given.double()
    size = torch.maximum(result.abs().max(), given.abs().max()).item()
    return bool(added.max() - added.min() <= PRECISION * max(size, PRECISION))


def _kept(node: Node) -> Tensor | None:
    """What a node put out, where it kept that, or what it is made from."""
    key, result, given = key_of(operation(node)), saved_value(node, "result"), saved_value(node, "self")
    if isinstance(result, Tensor):
        return result
    if isinstance(given, Tensor) and key == "softplus":
        return softplus(given.detach(), float(node._saved_beta), float(node._saved_threshold))
    power = saved_value(node, "exponent")
    return (
        given.detach() ** power
        if isinstance(given, Tensor) and key == "pow" and not isinstance(power, Tensor)
        else None
    )


def _value(node: Node, users: Mapping[Node, Node], value_of: ValueOf) -> Tensor | None:
    """What a node put out, as it kept it itself, as a module returned it, or as the node behind it has it."""
    value = None if is_leaf(node) else _kept(node)
    if value is None:
        value = value_of(node)
    user, factor = users.get(node), 1.0
    while value is None and user is not None:
        key = key_of(operation(user))
        if key in _KEEP_THEIR_INPUT:
            value = saved_value(user, "self")
        elif key in _SCALING and len(parents(user)) == 1 and user.next_functions[0][0] is not None:
            by = saved_value(user, "other")
            if not isinstance(by, Tensor) or not _has_one_factor(user):
                return None
            first = float(by.flatten()[0])
            factor = factor * first if key == "div" else factor / first if first else 0.0
            user = users.get(user)
        else:
            return None
    if not isinstance(value, Tensor) or not is_dense_and_real(value) or tuple(value.shape) != shape_of(node):
        return None
    return value.detach() * factor if factor else None
