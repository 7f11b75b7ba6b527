"""Why an operation that got a gradient passed nothing but zeros on, from its kind and what the graph saved of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradreach.record.seen.zero_gradient import ZeroCause
from gradreach.watch.graph import Node, softmax_axis
from gradreach.watch.graph import operation as name_of
from gradreach.watch.tensors import is_without_memory

FLAT = frozenset({"sign", "sgn", "round", "floor", "ceil", "trunc"})
"""Steps: their slope is 0 wherever they have one."""

OFF = frozenset(
    ("relu", "threshold", "clamp", "clamp_min", "clamp_max", "hardtanh", "hardsigmoid", "hardshrink", "softshrink")
)
"""Slope 0 on a whole side, or beyond both ends."""

SATURATES = frozenset(("sigmoid", "tanh", "softmax", "safe_softmax", "log_softmax", "softplus", "log_sigmoid", "erf"))
"""Slope 0 once rounded, far enough out."""

PICKS = frozenset(("stack", "cat", "split", "split_with_sizes", "unbind", "select", "slice", "index", "gather"))
"""Their inputs or outputs are parts of one another: an input gets 0 where nobody uses its part."""

_FACTORS = {
    "mul": ("other", "self"),
    "mm": ("mat2", "self"),
    "bmm": ("mat2", "self"),
    "addmm": (None, "mat2", "mat1"),
    "baddbmm": (None, "batch2", "batch1"),
    "convolution": ("weight", "input", None),
    "native_layer_norm": ("weight", None, None),
    "native_batch_norm": ("weight", None, None),
}
"""Of each product what the gradient of each of its inputs is multiplied with, as the graph names it."""

_OVER_ONE = {"softmax": "dim", "safe_softmax": "dim", "log_softmax": "dim"}

_ROOM = 1e4
"""Multiples of the smallest number of a dtype below which a further factor may well round to 0."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One input of one operation that got nothing but zeros while the operation's own gradient was not 0.

    `share` is the part of the operation's values at which its slope is 0, where that was counted. `weights` says that
    the zeros are the values of a parameter.
    """

    operation: str
    why: ZeroCause
    share: float | None = None


def operation_of(node_name: str) -> str:
    """What an autograd node belongs to, as torch spells the function: `NllLossBackward0` reads `nll_loss`."""
    bare = re.sub(r"Backward\d*$", "", node_name.rpartition("::")[2])
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", bare).lower()


def explained_later(node: Node) -> Callable[[int, float, torch.dtype | None], Stop]:
    """A function that says why input number `edge` of this node got zeros, given the largest size of the gradient that
    the node itself got, and its dtype.

    It holds what the graph saved of the node, not the node; call it while the backward pass is there, then drop it.
    """
    operation = operation_of(name_of(node))
    saved = {name: _saved(node, name) for name in _wanted(operation)}
    ones = _is_over_one(operation, node, saved)
    rounds = operation == "div" and getattr(node, "_saved_rounding_mode", None) is not None

    def explain(edge: int, size: float, dtype: torch.dtype | None) -> Stop:
        if operation in FLAT or rounds:
            return Stop(operation, "flat")
        if operation.endswith("_backward"):
            return Stop(operation.removesuffix("_backward"), "derivative")
        if ones:
            return Stop(operation, "single")
        if operation in OFF:
            return Stop(operation, "off", _share_off(operation, saved))
        factors = _FACTORS.get(operation, ())
        factor = saved.get(factors[edge] or "") if edge < len(factors) else None
        if factor is not None and not bool(factor.any()):
            return Stop(operation, "factor")
        if dtype is not None and 0.0 < size < _least(dtype):
            return Stop(operation, "underflow")
        if operation in SATURATES:
            return Stop(operation, "saturated")
        return Stop(operation, "unused" if operation in PICKS else "unknown")

    return explain


def _wanted(operation: str) -> tuple[str, ...]:
    if operation in ("relu", *_OVER_ONE):
        return ("result",)
    if operation in ("threshold", "clamp_min"):
        return ("self",)
    return tuple(name for name in _FACTORS.get(operation, ()) if name)


def _saved(node: Node, name: str) -> Tensor | None:
    """A tensor that the graph saved, without its history; None where there is none or the script overwrote it."""
    try:
        value = getattr(node, f"_saved_{name}", None)
    except RuntimeError:
        return None
    return value.detach() if isinstance(value, Tensor) and not is_without_memory(value) else None


def _share_off(operation: str, saved: dict[str, Tensor | None]) -> float | None:
    """The part of a ReLU's values that are 0."""
    result = saved.get("result") if operation == "relu" else None
    return None if result is None or not result.numel() else 1.0 - float(result.count_nonzero()) / result.numel()


def _is_over_one(operation: str, node: Node, saved: dict[str, Tensor | None]) -> bool:
    """Whether a normalisation runs over a single value, which it makes a constant."""
    if operation == "native_layer_norm":
        return math.prod(getattr(node, "_saved_normalized_shape", (0,))) == 1
    result = saved.get("result")
    if operation not in _OVER_ONE or result is None or not result.dim():
        return False
    axis, shape = softmax_axis(node)
    return shape[axis] == 1


def _least(dtype: torch.dtype) -> float:
    if not dtype.is_floating_point:
        return 0.0
    about = torch.finfo(dtype)
    return max(about.smallest_normal, about.smallest_normal * about.eps * _ROOM) * _ROOM
