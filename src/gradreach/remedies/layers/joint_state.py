"""The state of an LSTM for code that knows h alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

_ALIKE = frozenset(
    {
        "detach",
        "detach_",
        "clone",
        "to",
        "float",
        "double",
        "half",
        "bfloat16",
        "cpu",
        "cuda",
        "contiguous",
        "requires_grad_",
        "zeros_like",
        "zero_",
        "__getitem__",
        "select",
        "narrow",
        "index_select",
        "gather",
        "chunk",
        "split",
        "unbind",
        "expand",
        "expand_as",
        "repeat",
        "repeat_interleave",
        "tile",
        "squeeze",
        "unsqueeze",
        "view",
        "view_as",
        "reshape",
        "reshape_as",
        "flatten",
        "unflatten",
        "transpose",
        "swapaxes",
        "swapdims",
        "movedim",
        "permute",
        "flip",
        "roll",
        "type",
        "type_as",
    }
)
"""What is done to h is done to c: moving, cutting, choosing or repeating rows."""
_GETTERS: dict[Any, Callable[[Tensor], Tensor]] = {
    Tensor.data.__get__: lambda t: t.data.detach(),  # type: ignore[attr-defined]
    Tensor.mT.__get__: lambda t: t.transpose(-2, -1),  # type: ignore[attr-defined]
}
"""Likewise, as calls, for torch.compile takes no attribute on what a getter returns."""
_SCALED = frozenset({"mul", "mul_", "__mul__", "__rmul__", "__imul__", "div", "div_", "__truediv__", "true_divide"})
"""Likewise, where one of the arguments is a state: scaling or masking it."""
_JOINED = frozenset({"cat", "stack"})
"""Likewise, of states alone."""
_VALUES = {
    "where": (1, 2),
    "masked_fill": (2,),
    "masked_fill_": (2,),
    "fill_": (1,),
    "__setitem__": (2,),
    "copy_": (1,),
    "index_copy": (3,),
    "index_copy_": (3,),
}
"""Likewise, with the places of what is put into the state: where it is no state itself its c is 0, as at the layer."""
_BLENDED = frozenset({"add", "__add__", "sub", "__sub__", "lerp"})
"""Likewise, of states alone: h + x is no state."""


class JointState(Tensor):
    """(h, c) as one tensor: h, with c carried along.

    Every operation sees h. Those that keep it a state, row by row (detach, to, h[:, rows], h * mask, torch.where …), do
    the same to c and return a JointState again; all others return what they return for h, a plain tensor.
    """

    c: Tensor

    @staticmethod
    def of(h: Tensor, c: Tensor) -> JointState:
        """h and c of one shape, joined. Gradients reach both."""
        state = h.as_subclass(JointState)
        state.c = c
        return state

    @property
    def h(self) -> Tensor:
        """h alone, a plain tensor."""
        return self.as_subclass(Tensor)

    def __deepcopy__(self, memo: Any) -> JointState:
        return JointState.of(copy.deepcopy(self.h, memo), copy.deepcopy(self.c, memo))

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunctionSubclass():
            if func in _GETTERS:
                return _joined(None, _GETTERS[func](args[0]), _GETTERS[func](args[0].c))
            name = getattr(func, "__name__", "")
            before = _cell_side(name, args) if args and "out" not in kwargs else None
            result = func(*args, **kwargs)
            return result if before is None else _joined(args[0], result, func(*before, **kwargs))


def _cell_side(name: str, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The arguments with c in h's place; None where the result is no state."""
    states = [isinstance(each, JointState) for each in args]
    if name in _VALUES:
        if not (any(states) if name == "where" else states[0]):
            return None
        return tuple(_as_value(each) if n in _VALUES[name] else _cell_of(each) for n, each in enumerate(args))
    if name in _BLENDED:
        return tuple(map(_cell_of, args)) if all(states[:2]) else None
    if name in _JOINED:
        together = all(isinstance(each, JointState) for each in args[0])
        return (tuple(map(_cell_of, args[0])), *args[1:]) if together else None
    known = states[0] if name in _ALIKE else name in _SCALED and sum(states) == 1 and (states[0] or name == "mul")
    return tuple(map(_cell_of, args)) if known else None


def _cell_of(each: Any) -> Any:
    return each.c if isinstance(each, JointState) else each


def _as_value(each: Any) -> Any:
    if isinstance(each, JointState):
        return each.c
    return torch.zeros_like(each) if isinstance(each, Tensor) else 0.0


def _joined(first: Any, h: Any, c: Any) -> Any:
    if h is first:  # in place
        return h
    if isinstance(h, tuple | list):
        return type(h)(JointState.of(*pair) for pair in zip(h, c, strict=True))
    return JointState.of(h, c) if isinstance(h, Tensor) else h


def _unflatten(parts: Iterable[Any], _: Any) -> Any:
    h, c = parts
    return JointState.of(h, c) if isinstance(h, Tensor) and isinstance(c, Tensor) else (h, c)


_H, _C = pytree.GetAttrKey("h"), pytree.GetAttrKey("c")
pytree.register_pytree_node(
    JointState,
    lambda state: ([state.h, state.c], None),
    _unflatten,
    flatten_with_keys_fn=lambda state: ([(_H, state.h), (_C, state.c)], None),
)
torch.serialization.add_safe_globals([JointState])
