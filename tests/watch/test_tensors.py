"""Tensors are found in whatever modules are given or return."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from gradreach.watch.nonfinite.saved_values import saved_value
from gradreach.watch.nonfinite.values import readable
from gradreach.watch.tensors import bytes_of, first_tensor, is_without_memory, tensors_of, unscaled, without_graph

A, B, C = torch.zeros(1), torch.ones(2), torch.ones(3)


class Pair(NamedTuple):
    first: Tensor
    second: Any


class ModelOutput(OrderedDict[str, Any]):
    """As the libraries of language models make them."""


class Batch(list[Tensor]):
    pass


@dataclass
class Output:
    loss: Tensor
    logits: Any = None


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (A, [A]),
        (None, []),
        ("text", []),
        ((A, [B, None, 3], {"c": C}), [A, B, C]),
        (Pair(A, (B,)), [A, B]),
        (ModelOutput(loss=A, logits={"b": B}), [A, B]),
        (Batch([A, B]), [A, B]),
        (Output(A, Output(B, [C])), [A, B, C]),
        ([Output(A), ModelOutput(b=B)], [A, B]),
        (Output, []),
    ],
)
def test_every_tensor_is_found_in_order(tree: object, expected: list[Tensor]) -> None:
    found = tensors_of(tree)
    assert len(found) == len(expected)
    assert all(one is other for one, other in zip(found, expected, strict=True))
    assert first_tensor(tree) is (expected[0] if expected else None)


def test_a_packed_sequence_begins_with_its_data() -> None:
    packed = pack_sequence([B, A])
    assert tensors_of(packed)[0] is packed.data


def test_without_its_graph_a_tensor_asks_for_a_gradient_as_before() -> None:
    leaf = torch.ones(2, requires_grad=True)
    (computed, [plain]) = without_graph((leaf * 2, [B]))
    assert computed.grad_fn is None
    assert computed.requires_grad
    assert not plain.requires_grad
    assert torch.equal(computed, leaf * 2)


def test_bytes_of_sparse_tensors_are_those_that_are_stored() -> None:
    assert bytes_of(torch.zeros(3, dtype=torch.float64)) == 24
    assert bytes_of(torch.eye(3).to_sparse()) == 12


def test_a_half_precision_gradient_is_divided_in_float32() -> None:
    tiny = torch.full((1,), 1e-7, dtype=torch.float16)
    assert unscaled(tiny, 65536.0).dtype == torch.float32
    assert float(unscaled(tiny, 65536.0)) > 0.0


def test_memory_that_is_given_back_is_read_by_nobody() -> None:
    weight = nn.Parameter(torch.ones(3, 3))
    output = torch.ones(2, 3, requires_grad=True) @ weight
    node: Any = output.grad_fn
    assert not is_without_memory(weight)
    assert saved_value(node, "mat2") is not None
    weight.untyped_storage().resize_(0)
    assert is_without_memory(weight)
    assert saved_value(node, "mat2") is None
    assert saved_value(node, "self") is not None
    assert readable(weight) is None
    assert not is_without_memory(torch.empty(0))
