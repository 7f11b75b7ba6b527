"""What the nodes of the script's graph saved for the backward pass, read without disturbing it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gradreach.watch.graph import Node
from gradreach.watch.tensors import is_without_memory

_RESULTS = (
    "result",
    "result0",
    "result1",
    "eigenvalues",
    "eigenvectors",
    "S",
    "U",
    "Vh",
    "V",
    "rstd",
    "mean",
    "invstd",
)

_EDGES = {
    "addmm": {"self": 0, "mat1": 1, "mat2": 2},
    "addbmm": {"self": 0, "batch1": 1, "batch2": 2},
    "baddbmm": {"self": 0, "batch1": 1, "batch2": 2},
    "addcmul": {"self": 0, "tensor1": 1, "tensor2": 2},
    "addcdiv": {"self": 0, "tensor1": 1, "tensor2": 2},
    "lerp": {"self": 0, "end": 1, "weight": 2},
    "where": {},
}
_FIRST = ("self", "input", "log_probs", "x1", "query")
_SECOND = ("other", "exponent", "target", "mat2", "vec", "vec2", "tensor2", "weight", "end", "x2", "key")


def saved_value(node: Node, name: str) -> Any:
    """One value that a node saved; None where it saved none, was freed, was changed in place since, where its memory is
    given back until the pass (FSDP2's whole weights), or where a hook would have to make it anew (checkpointing,
    offloading), which must happen once only and in the pass itself."""
    raw = getattr(node, f"_raw_saved_{name}", None)
    if raw is not None and _is_hooked(raw):
        return None
    try:
        value = getattr(node, f"_saved_{name}", None)
    except RuntimeError:
        return None
    return None if isinstance(value, Tensor) and is_without_memory(value) else value


def saved_tensors(node: Node) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The tensors that a node saved by their names: those that it was given, and those that it returned."""
    given: dict[str, Tensor] = {}
    returned: dict[str, Tensor] = {}
    for attribute in dir(node):
        if attribute.startswith("_raw_saved_"):
            name = attribute.removeprefix("_raw_saved_")
            value = saved_value(node, name)
            if isinstance(value, Tensor):
                (returned if name in _RESULTS else given)[name] = value
    return given, returned


def edge_of(key: str, name: str) -> int | None:
    """Which of a node's edges leads to what computed the argument of this name; None where that is not known."""
    if key in _EDGES:
        return _EDGES[key].get(name)
    if name in _FIRST:
        return 0
    return 1 if name in _SECOND else None


def _is_hooked(raw: Any) -> bool:
    """Whether hooks stand before a saved value; taken for granted where torch does not tell and the values are many."""
    if not isinstance(raw, (tuple, list)):
        return getattr(raw, "unpack_hook", _UNTOLD) is not None
    return True


_UNTOLD = object()
