"""By how much each product with weights makes the signal larger on its way to one output, read from the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from gradreach.record.seen.loss import LayerGrowth
from gradreach.watch.graph import Node, is_leaf, operation, parents
from gradreach.watch.nonfinite.operations import key_of, moves
from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.tensors import is_dense_and_real

MOST_NODES = 4096
MOST_PRODUCTS = 64

MOST_NUMBERS = 1 << 22
"""Numbers of a weight that are read; of more, evenly spaced rows."""

ROWS = 32
"""Rows of the batch by which the growth is measured; of images an eighth as many."""

BY_CHANCE = 2.0
"""How many times as unlike in size as numbers of one distribution the rows and columns of a weight may be that was
drawn from one: training makes some of them much larger than others."""


MOST_TERMS = 16
"""Operations that are followed from an output to the product in it."""

_FACTORS = {"mm": (0, 1), "addmm": (1, 2), "convolution": (0, 1)}
"""The edges of each product that lead to its two factors."""

_INNER = {"mul": ("self", "other"), "bmm": ("self", "mat2")}
"""What makes an inner product of looked-up rows, and the factors that it keeps."""

_SUMS = ("add", "sub", "tocopy")

_TURNS = ("t", "transpose", "permute")
"""Moves that exchange the two axes of a matrix."""


class _Product(NamedTuple):
    """One product: its node, the leaf that is its weight, whether that `is_turned` before, and `is_first` of the two
    factors."""

    node: Node
    leaf: Tensor
    is_turned: bool
    is_first: bool


def growths(start: Node, names: Mapping[int, str]) -> tuple[LayerGrowth, ...]:
    """The products behind a node, the first to be computed first; of a weight that is used several times the last.

    There are none where something else than a product makes the size of what the node puts out, as a temperature does.
    """
    if not _is_product_with_bias(start):
        return ()
    found: dict[int, _Product] = {}
    for product in sorted(_products(start), key=lambda each: _number(each.node), reverse=True):
        found.setdefault(id(product.leaf), product)
    with torch.no_grad():
        each = [_growth(product, names) for product in list(found.values())[:MOST_PRODUCTS]]
    return tuple(growth for growth in reversed(each) if growth is not None)


def _products(start: Node) -> Iterator[_Product]:
    """The products of something with a trained weight, in the graph behind a node."""
    pending, seen = [start], {start}
    for node in pending:  # grows while it is walked
        if (product := _product(node)) is not None:
            yield product
        for parent in parents(node):
            if parent not in seen and len(seen) < MOST_NODES and not is_leaf(parent):
                seen.add(parent)
                pending.append(parent)


def _product(node: Node) -> _Product | None:
    key = key_of(operation(node))
    if key in ("sum", "bmm"):
        return _inner_product(node)
    if key not in _FACTORS:
        return None
    first, second = (_leaf(node.next_functions[place][0]) for place in _FACTORS[key])
    if second is not None:
        return _Product(node, *second, is_first=False)
    return None if first is None or key == "convolution" else _Product(node, *first, is_first=True)


def _inner_product(node: Node) -> _Product | None:
    """A product of rows with rows that were looked up in trained tables: the second table counts as its weight."""
    before = parents(node)
    inner = node if key_of(operation(node)) == "bmm" else before[0] if len(before) == 1 else node
    if key_of(operation(inner)) not in _INNER:
        return None
    tables = [_table(edge) for edge, _ in inner.next_functions]
    if len(tables) != 2 or tables[0] is None or tables[1] is None:
        return None
    return _Product(inner, tables[1], is_turned=False, is_first=False)


def _table(node: Node | None) -> Tensor | None:
    """The leaf that a node's rows were looked up in, past what only moves them."""
    while node is not None and key_of(operation(node)) != "embedding":
        before = parents(node)
        node = before[0] if moves(operation(node)) and len(before) == 1 and not is_leaf(before[0]) else None
    found = _leaf(node.next_functions[0][0]) if node is not None else None
    return None if found is None else found[0]


def _is_product_with_bias(start: Node) -> bool:
    """Whether a value is a product with trained weights, moved, or a sum in which one stands."""
    pending = [start]
    for node in pending:  # grows while it is walked
        if _product(node) is not None:
            return True
        if (moves(operation(node)) or key_of(operation(node)) in _SUMS) and len(pending) < MOST_TERMS:
            pending += parents(node)
    return False


def _leaf(node: Node | None) -> tuple[Tensor, bool] | None:
    """The leaf that a node stands for, past what only moves it or changes its format, and whether it was turned."""
    is_turned = False
    while node is not None and not is_leaf(node):
        key = key_of(operation(node))
        if not moves(operation(node)) and key not in (*_TURNS, "tocopy"):
            return None
        is_turned ^= key in _TURNS
        before = parents(node)
        node = before[0] if len(before) == 1 else None
    if node is None or node.variable.dim() < 2 or not is_dense_and_real(node.variable):
        return None
    return node.variable, is_turned


def _growth(product: _Product, names: Mapping[int, str]) -> LayerGrowth | None:
    """What one product does; None where the graph does not hold what it is given."""
    key = key_of(operation(product.node))
    read = _of_rows if key in _INNER else _convolution if key == "convolution" else _matrix_product
    seen = read(product)
    if seen is None:
        return None
    matrix, given, output = seen
    sizes = torch.stack([_rms(given), _rms(output)]).tolist()
    leaf = product.leaf
    return LayerGrowth(names.get(id(leaf), ""), tuple(leaf.shape), matrix.shape[1], *_drawn(matrix), *sizes)


def _matrix_product(product: _Product) -> tuple[Tensor, Tensor, Tensor] | None:
    """The weight with a row for each number of the output, some rows of the input, and what comes of them."""
    node, leaf, is_turned, is_first = product
    both = ("self", "mat2") if key_of(operation(node)) == "mm" else ("mat1", "mat2")
    given = _given(node, both[is_first])
    if given is None or leaf.dim() != 2:
        return None
    rows = given.t() if is_first else given
    matrix = leaf.detach() if is_turned != is_first else leaf.detach().t()
    rows = rows[:: max(len(rows) // ROWS, 1)]
    if matrix.shape[1] != rows.shape[1]:
        return None
    return matrix, rows, rows.float() @ matrix.float().t()


def _convolution(product: _Product) -> tuple[Tensor, Tensor, Tensor] | None:
    """The same of a convolution and some of its images; None of a transposed one."""
    node, weight = product.node, product.leaf.detach()
    given = _given(node, "input")
    if given is None or node._saved_transposed:
        return None
    given = given[: ROWS // 8]
    return weight.flatten(1), given, _convolved(node, given, weight)


def _of_rows(product: _Product) -> tuple[Tensor, Tensor, Tensor] | None:
    """The same of an inner product of looked-up rows: the table, the rows of the other one, and what comes of them."""
    key = key_of(operation(product.node))
    first, second = (_given(product.node, name) for name in _INNER[key])
    if first is None or second is None:
        return None
    output = torch.bmm(first, second) if key == "bmm" else (first * second).sum(-1)
    return product.leaf.detach(), first, output


def _given(node: Node, name: str) -> Tensor | None:
    given = saved_value(node, name)
    return given.detach() if isinstance(given, Tensor) and is_dense_and_real(given) and given.numel() else None


def _convolved(node: Node, given: Tensor, weight: Tensor) -> Tensor:
    output: Tensor = torch.ops.aten.convolution(
        given.float(), weight.float(), None, node._saved_stride, node._saved_padding, node._saved_dilation,
        node._saved_transposed, node._saved_output_padding, node._saved_groups,
    )  # fmt: skip
    return output


def _drawn(matrix: Tensor) -> tuple[float, bool]:
    """The rms of a weight, and whether its rows, and its columns, are as large as each other up to chance."""
    matrix = matrix[:: max(matrix.numel() // MOST_NUMBERS, 1)].float()
    squares = matrix.square()
    mean = squares.mean()
    spread = (squares.var(correction=0) / mean**2).sqrt()
    rows, columns = (squares.mean(axis).std(correction=0) / mean for axis in (1, 0))
    chance = [spread / matrix.shape[axis] ** 0.5 for axis in (1, 0)]
    alike = (rows <= BY_CHANCE * chance[0] + 1e-3) & (columns <= BY_CHANCE * chance[1] + 1e-3)
    return mean.sqrt().item(), bool(alike)


def _rms(tensor: Tensor) -> Tensor:
    return tensor.float().square().mean().sqrt()


def _number(node: Node) -> int:
    """The place of a node in the order in which all were made."""
    number: int = node._sequence_nr()
    return number
