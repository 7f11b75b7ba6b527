"""Arithmetic written once for floats on the host and 0-d tensors on a GPU, which to read would be to wait for."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

Scalar = float | Tensor
Truth = bool | Tensor


def on_host(device: torch.device) -> bool:
    """Whether numbers there are at hand: then rules count with floats, else with 0-d tensors."""
    return device.type == "cpu"


def where(condition: Truth, one: Scalar, other: Scalar) -> Scalar:
    """`one` where the condition holds, else `other`."""
    if isinstance(condition, Tensor):
        return torch.where(condition, one, other)
    return one if condition else other


def log(x: Scalar) -> Scalar:
    """Natural logarithm; −∞ at 0."""
    if isinstance(x, Tensor):
        return x.log()
    return math.log(x) if x > 0 else -math.inf


def exp(x: Scalar) -> Scalar:
    """e to the power of x; ∞ past the largest float."""
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
    """Whether a norm says anything: finite and not 0."""
    if isinstance(norm, Tensor):
        return norm.isfinite() & (norm > 0)
    return math.isfinite(norm) and norm > 0


def chosen(condition: Truth, one: Any, other: Any) -> Any:
    """Of two tuples of scalars, field by field, the first where the condition holds, else the second."""
    if not isinstance(condition, Tensor):
        return one if condition else other
    return type(one)(*(where(condition, mine, others) for mine, others in zip(one, other, strict=True)))
