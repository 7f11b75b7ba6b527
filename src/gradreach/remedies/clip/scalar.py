"""Arithmetic that is written once for floats on the host and for 0-d tensors on a GPU, where reading means waiting."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

Scalar = float | Tensor
Truth = bool | Tensor


def on_host(device: torch.device) -> bool:
    """Whether numbers on this device can be read at once; rules then count with floats, and else with 0-d tensors."""
    return device.type == "cpu"


def where(condition: Truth, one: Scalar, other: Scalar) -> Scalar:
    """`one` where the condition holds, else `other`."""
    if isinstance(condition, Tensor):
        return torch.where(condition, one, other)
    return one if condition else other


def log(x: Scalar) -> Scalar:
    """The natural logarithm; it is −∞ at 0."""
    if isinstance(x, Tensor):
        return x.log()
    return math.log(x) if x > 0 else -math.inf


def exp(x: Scalar) -> Scalar:
    """e to the power of x; it is ∞ past the largest float."""
    if isinstance(x, Tensor):
        return x.exp()
    return math.exp(x) if x < 709 else math.inf


def larger(x: Scalar, y: Scalar) -> Scalar:
    """The larger of two."""
    return where(x > y, x, y)


def smaller(x: Scalar, y: Scalar) -> Scalar:
    """The smaller of two."""
    return where(x < y, x, y)


def is_sound(norm: Scalar) -> Truth:
    """Whether a norm says anything: it is finite and not 0."""
    if isinstance(norm, Tensor):
        return norm.isfinite() & (norm > 0)
    return math.isfinite(norm) and norm > 0


def chosen(condition: Truth, one: Any, other: Any) -> Any:
    """Of two tuples of scalars that are built alike: the first where the condition holds, else the second."""
    if not isinstance(condition, Tensor):
        return one if condition else other
    return tree_map(lambda mine, others: where(condition, mine, others), one, other)
