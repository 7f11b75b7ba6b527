"""Where a loss holds an output of the model against a target, read from the script's graph while it is whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gradreach.record.seen.loss import LossKind
from gradreach.watch.graph import Node, is_leaf, maker, operation, parents, softmax_axis
from gradreach.watch.nonfinite.operations import key_of, moves
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.tensors import is_dense, is_dense_and_real

NAMED: dict[str, LossKind] = {
    "nllloss": "negative log-likelihood",
    "nllloss2d": "negative log-likelihood",
    "binarycrossentropy": "binary cross entropy",
    "binarycrossentropywithlogits": "binary cross entropy on logits",
    "mseloss": "squared error",
    "smoothl1loss": "absolute error",
    "huberloss": "absolute error",
}
"""The comparisons that torch has an operation of their own for."""

REDUCING = frozenset(
    {
        "mean",
        "sum",
        "add",
        "sub",
        "rsub",
        "mul",
        "div",
        "neg",
        "sqrt",
        "nanmean",
        "nansum",
        "clamp",
        "maximum",
        "minimum",
        "tocopy",
    }
)
"""Operations that make one loss of many."""

IN_ORDER = frozenset({"alias", "clone", "flatten", "reshape", "squeeze", "tocopy", "unsafeview", "unsqueeze", "view"})
"""Moves that leave the order of the numbers as it is."""

_ERRORS = frozenset({"squared error", "absolute error"})

MOST_NODES = 256
MOST_MOVES = 32

FEWEST_FACTORS = 4

MEAN, SUM = 1, 2
"""The saved numbers of `reduction="mean"` and `"sum"`."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison, by the node that it ends in, and the numbers compared. `path` leads from the output to what
    computed it: nodes that only move it, and last the one that computed it.

    `output` and `target` are None where the graph does not hold them; `output_shape` and `target_shape` are without
    what broadcasting added. `is_turned` says that the loss falls where the comparison rises, `is_weighted` that classes
    or rows have weights, `has_negative_weights` that one of these is below 0. `weights` are those of the classes, of a
    binary cross entropy that of the positives. `is_reduced` says that the loss takes all of it in at one weight:
    nothing can leave places out once it is one number.
    """

    kind: LossKind
    node: Node
    shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    path: tuple[Node, ...]
    is_whole: bool
    target_shape: tuple[int, ...] | None = None
    output: Tensor | None = None
    target: Tensor | None = None
    ignored: int | None = None
    is_weighted: bool = False
    has_negative_weights: bool = False
    weights: Tensor | None = None
    is_turned: bool = False
    is_reduced: bool = False


ValueOf = Callable[[Node], "Tensor | None"]
"""Gives the numbers that a node has put out, where they are known."""


def comparisons(losses: Sequence[Tensor], value_of: ValueOf) -> list[Compared]:
    """The comparisons behind these losses, nearest the loss first."""
    return comparisons_behind([node for loss in losses if (node := maker(loss)) is not None], value_of)


def comparisons_behind(nodes: Sequence[Node], value_of: ValueOf, *, turned: bool = False) -> list[Compared]:
    """The comparisons behind these nodes, nearest first, of a loss that falls where these rise if they are `turned`."""
    pending: list[tuple[Node, frozenset[str], bool]] = [(node, frozenset(), turned) for node in nodes]
    seen = set(nodes)
    found: list[Compared] = []
    for node, through, turned in pending:  # grows while it is walked
        key = key_of(operation(node))
        compared = _compared(node, key, through, value_of)
        if compared is not None:
            found.append(replace(compared, is_turned=turned) if key in NAMED or compared.kind in _ERRORS else compared)
        elif (key in REDUCING or moves(operation(node))) and len(seen) < MOST_NODES:
            for edge, (parent, _) in enumerate(node.next_functions):
                if parent is not None and parent not in seen:
                    seen.add(parent)
                    pending.append((parent, through | {key}, turned != turns(node, key, edge)))
    return found


def turns(node: Node, key: str, edge: int) -> bool:
    """Whether a node falls where what comes to it by this edge rises."""
    if key in ("mul", "div"):
        factor = saved_value(node, "other" if edge == 0 else "self")
        is_number = isinstance(factor, Tensor) and factor.numel() == 1 and is_dense(factor)
        return is_number and not factor.is_complex() and factor.item() < 0
    return key == "neg" or (key, edge) in (("sub", 1), ("rsub", 0))


def _compared(node: Node, key: str, through: frozenset[str], value_of: ValueOf) -> Compared | None:
    """The comparison that a node is, behind the operations `through` which its loss came; None of any other node."""
    is_whole = through <= {"mean"}
    if key in NAMED:
        return _named(node, key, is_whole)
    if key in ("pow", "square", "abs", "mul") and (difference := _difference(node, key)) is not None:
        return _by_hand(node, key, difference, is_whole, value_of)
    if key in ("add", "sub"):
        return _by_two_logarithms(node, through) or _divergence(node, key)
    return (_by_logarithm(node, through) or _product(node)) if key == "mul" else None


def _named(node: Node, key: str, is_whole: bool) -> Compared | None:
    reduction = saved_value(node, "reduction")
    start, target = node.next_functions[0][0], saved_value(node, "target")
    output = saved_value(node, "self")
    if start is None or output is None or target is None:
        return None
    path, shape = path_of(start), shape_of(start)
    kind, before = NAMED[key], path[-1].next_functions
    if kind == "negative log-likelihood" and key_of(operation(path[-1])) == "logsoftmax" and before[0][0] is not None:
        if not _is_over_classes(path, shape):
            return None
        kind, path = "cross entropy", path_of(before[0][0])
    elif kind in _ERRORS:
        start = _before_expanding(start)
    weights = [each for name in ("weight", "pos_weight") if (each := saved_value(node, name)) is not None]
    return Compared(
        kind, node, shape, shape_of(start), path, is_whole and reduction == MEAN, _unexpanded(target), output, target,
        _signed(saved_value(node, "ignore_index")), is_weighted=bool(weights),
        has_negative_weights=any(_some_count_below_0(each, node, kind) for each in weights),
        weights=saved_value(node, "pos_weight" if kind.startswith("binary") else "weight"),
        is_reduced=is_whole or reduction in (MEAN, SUM),
    )  # fmt: skip


def _some_count_below_0(weights: Tensor, node: Node, kind: LossKind) -> bool:
    """Whether weights turn some of a loss round. A mean over classes divides by the weights: below 0 all of them are as
    good as above."""
    if not is_dense_and_real(weights) or not bool((weights < 0).any()):
        return False
    divides = kind in ("cross entropy", "negative log-likelihood") and saved_value(node, "reduction") == MEAN
    return not divides or bool((weights > 0).any())


def _is_over_classes(path: Sequence[Node], shape: Sequence[int]) -> bool:
    """Whether a log_softmax runs over the classes of a likelihood of this shape, and not over another axis."""
    axis, normalised = softmax_axis(path[-1])
    classes = min(1, len(shape) - 1)
    return axis == classes if tuple(shape) == normalised else normalised[axis] == shape[classes]


def _signed(number: int | None) -> int | None:
    """A whole number that torch keeps without its sign, -100 as 2^64 - 100."""
    return number - (1 << 64) if number is not None and number >= 1 << 63 else number


def _difference(node: Node, key: str) -> Node | None:
    """The node of a difference to a constant that this node squares, or takes the absolute value of."""
    both = [parent for parent, _ in node.next_functions]
    start = both[0] if both else None
    if start is None or (key == "pow" and saved_value(node, "exponent") != 2):
        return None
    if key == "mul" and (len(both) != 2 or both[1] is not start):
        return None
    source = path_of(start)[-1]
    edges = [parent for parent, _ in source.next_functions]
    is_one = key_of(operation(source)) in ("sub", "rsub") and len(edges) == 2 and edges.count(None) == 1
    return source if is_one else None


def _by_hand(node: Node, key: str, difference: Node, is_whole: bool, value_of: ValueOf) -> Compared | None:
    place = next(at for at, (parent, _) in enumerate(difference.next_functions) if parent is not None)
    start = _before_expanding(difference.next_functions[place][0])
    path, shape = path_of(start), shape_of(difference)
    value, output, target = _value(path, value_of), None, None
    apart = saved_value(node, "self")
    if value is not None and isinstance(apart, Tensor) and value.numel() == apart.numel():
        output = value.reshape(apart.shape)
        target = output - apart if place == 0 else output + apart
    kind: LossKind = "absolute error" if key == "abs" else "squared error"
    return Compared(kind, node, shape, shape_of(start), path, is_whole, None, output, target, is_reduced=is_whole)


def _by_logarithm(node: Node, through: frozenset[str]) -> Compared | None:
    """A cross entropy that a script writes itself: targets of shares times logarithms of probabilities."""
    edges = [parent for parent, _ in node.next_functions]
    if len(edges) != 2 or edges.count(None) != 1:
        return None
    start = next(parent for parent in edges if parent is not None)
    path, target = path_of(start), saved_value(node, "self" if edges[0] is None else "other")
    key, before = key_of(operation(path[-1])), [parent for parent in parents(path[-1]) if not is_leaf(parent)]
    shape = shape_of(node)
    if key not in ("log", "logsoftmax") or not before or not isinstance(target, Tensor) or len(shape) < 2:
        return None
    if tuple(target.shape) != shape or shape[-1] < 2 or shape_of(start) != shape:
        return None
    kind: LossKind = "cross entropy" if key == "logsoftmax" else "cross entropy on probabilities"
    is_whole = through <= {"mean", "neg", "sum"} and "mean" in through
    return Compared(kind, node, shape, shape, path_of(before[0]), is_whole, shape, None, target)


def _by_two_logarithms(node: Node, through: frozenset[str]) -> Compared | None:
    """A binary cross entropy that a script writes itself: y · log p + (1 − y) · log(1 − p)."""
    terms = [term for parent in parents(node) if (term := _term(parent)) is not None]
    if len(terms) != 2 or len(node.next_functions) != 2:
        return None
    (one, of_one), (other, of_other) = terms
    other = -other if key_of(operation(node)) == "sub" else other
    if one.shape != other.shape or not torch.allclose((one + other).abs(), torch.ones_like(one)):
        return None
    one, other = one.abs(), other.abs()
    is_first = key_of(operation(path_of(of_one)[-1])) not in ("sub", "rsub")
    target, start = (one, of_one) if is_first else (other, of_other)
    shape, path = shape_of(node), path_of(start)
    if tuple(target.shape) != shape or shape_of(start) != shape:
        return None
    return Compared("binary cross entropy", node, shape, shape, path, through <= {"mean", "neg"}, shape, None, target)


def _divergence(node: Node, key: str) -> Compared | None:
    """What `kl_div` becomes where it is given no logarithms: y log y − y p, number by number, of targets that give each
    class its share."""
    edges = [parent for parent, _ in node.next_functions]
    product = edges[1] if key == "sub" and len(edges) == 2 and edges[0] is None else None
    if product is None or key_of(operation(product)) != "mul":
        return None
    factors = [parent for parent, _ in product.next_functions]
    if len(factors) != 2 or factors.count(None) != 1:
        return None
    start = next(parent for parent in factors if parent is not None)
    target, path = saved_value(product, "self" if factors[0] is None else "other"), path_of(start)
    if key_of(operation(path[-1])) not in ("softmax", "sigmoid") or not _are_shares(target):
        return None
    output, shape = saved_value(path[-1], "result"), shape_of(node)
    return Compared("divergence", node, shape, shape_of(start), path, False, _unexpanded(target), output, target)


def _are_shares(target: object) -> bool:
    """Whether the rows are probabilities, and not all of one class each."""
    if not isinstance(target, Tensor) or target.dim() < 2 or not is_dense_and_real(target) or not target.numel():
        return False
    inside = bool(((target > 0) & (target < 1)).any()) and bool((target >= 0).all())
    return inside and any(bool(((target.sum(axis) - 1).abs() < 1e-3).all()) for axis in (-1, 1))


def _term(node: Node) -> tuple[Tensor, Node] | None:
    """Of a constant times a logarithm: the constant with its sign, and the node that the logarithm is taken of."""
    way = _while(node, lambda each: key_of(operation(each)) == "neg" or moves(operation(each)))
    product, is_negative = way[-1], sum(key_of(operation(each)) == "neg" for each in way) % 2 == 1
    edges = [parent for parent, _ in product.next_functions]
    if key_of(operation(product)) != "mul" or len(edges) != 2 or edges.count(None) != 1:
        return None
    start = next(parent for parent in edges if parent is not None)
    target, last = saved_value(product, "self" if edges[0] is None else "other"), path_of(start)[-1]
    before = [parent for parent in parents(last) if not is_leaf(parent)]
    if key_of(operation(last)) != "log" or len(before) != 1 or not isinstance(target, Tensor) or not is_dense(target):
        return None
    return (-target if is_negative else target), before[0]


def _product(node: Node) -> Compared | None:
    """A product with a constant that makes a square of what was a row: every output meets every factor. Or one that
    weighs the rows by factors of both signs, as advantages are."""
    edges = [parent for parent, _ in node.next_functions]
    if len(edges) != 2 or edges.count(None) != 1:
        return None
    start = next(parent for parent in edges if parent is not None)
    factor = saved_value(node, "self" if edges[0] is None else "other")
    if not isinstance(factor, Tensor):
        return None
    found = Compared(
        "product",
        node,
        shape_of(node),
        shape_of(start),
        path_of(start),
        is_whole=False,
        target_shape=_unexpanded(factor),
    )
    broadcasts = found.shape not in (found.output_shape, found.target_shape)
    return found if broadcasts or _has_both_signs(factor) else None


def _has_both_signs(factor: Tensor) -> bool:
    """Whether factors are of either sign and of unlike sizes; labels of −1 and 1 are none."""
    if factor.numel() < FEWEST_FACTORS or not is_dense_and_real(factor):
        return False
    sizes = factor.abs()
    return bool(factor.min() < 0 < factor.max()) and bool(sizes.max() > sizes.min())


def path_of(node: Node) -> tuple[Node, ...]:
    """From a node to the one that computed its value, past those that only move it or change its format."""
    return _while(node, lambda each: moves(operation(each)) or key_of(operation(each)) == "tocopy")


def _value(path: Sequence[Node], value_of: ValueOf) -> Tensor | None:
    """The numbers at the start of a path, or further on past nodes that leave their order as it is."""
    for node in path:
        value = value_of(node)
        if value is not None and is_dense(value):
            return value
        if key_of(operation(node)) not in IN_ORDER:
            return None
    return None


def _before_expanding(node: Node) -> Node:
    return _while(node, lambda each: key_of(operation(each)) == "expand")[-1]


def _while(node: Node, passes: Callable[[Node], bool]) -> tuple[Node, ...]:
    path = [node]
    for _ in range(MOST_MOVES):
        before = parents(path[-1])
        if not passes(path[-1]) or len(before) != 1 or is_leaf(before[0]):
            break
        path.append(before[0])
    return tuple(path)


def shape_of(node: Node) -> tuple[int, ...]:
    """The shape of what a node put out; of a nested tensor, which has none, nothing."""
    if is_leaf(node):
        return tuple(node.variable.shape)
    told = getattr(node, "_input_metadata", None)
    return tuple(told[0].shape) if told and not (told[0].is_cpp_nested_tensor or told[0].is_nested_tensor) else ()


def _unexpanded(tensor: Tensor) -> tuple[int, ...]:
    """The shape of a tensor without what broadcasting added: what is repeated has a stride of 0."""
    if tensor.layout != torch.strided:
        return tuple(tensor.shape)
    sizes = [1 if stride == 0 else size for size, stride in zip(tensor.shape, tensor.stride(), strict=True)]
    while sizes[:1] == [1] and tensor.stride()[tensor.dim() - len(sizes)] == 0:
        sizes.pop(0)
    return tuple(sizes)
