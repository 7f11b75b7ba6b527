"""The state of a layer that was swapped in, in the form that the script around it knows: two hooks stand between.

For code that knows h alone an LSTM's state travels as a `JointState`, a tensor that is h and carries c; for code that
knows (h, c) a GRU's or RNN's state is h twice, and of what comes back the first is taken.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.engine.cells.registry import cell_of
from gradreach.remedies.layers.joint_state import JointState


def adapt(old: Any, new: Any) -> None:
    """Let the new layer take and return the state as the script around the old one knows it."""
    if not isinstance(new, nn.RNNBase | nn.RNNCellBase):
        return
    hooks = old._forward_pre_hooks.values()
    carries_c = cell_of(new).carries_c
    pair = (cell_of(old).carries_c and _take_h not in hooks) or _take_pair in hooks
    if pair and not carries_c:
        new.register_forward_pre_hook(_take_pair, with_kwargs=True)
        new.register_forward_hook(_give_pair)
    elif not pair and carries_c:
        new.register_forward_pre_hook(_take_h, with_kwargs=True)
        new.register_forward_hook(_give_h)


def _take_h(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return _with_state(args, kwargs, lambda hx: _pair_of(hx, layer) if isinstance(hx, Tensor) else hx)


def _give_h(_: nn.Module, __: Any, returned: Any) -> Any:
    y, state = returned
    return JointState.of(y, state) if isinstance(state, Tensor) else (y, JointState.of(*state))


def _take_pair(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return _with_state(args, kwargs, lambda hx: hx if isinstance(hx, Tensor) else hx[0])


def _give_pair(_: nn.Module, __: Any, returned: Any) -> Any:
    return (returned, returned) if isinstance(returned, Tensor) else (returned[0], (returned[1], returned[1]))


def _with_state(args: tuple[Any, ...], kwargs: dict[str, Any], change: Callable[[Any], Any]) -> Any:
    """The arguments of a call with its state, where there is one, changed."""
    if len(args) > 1 and args[1] is not None:
        return (args[0], change(args[1]), *args[2:]), kwargs
    if kwargs.get("hx") is not None:
        return args, kwargs | {"hx": change(kwargs["hx"])}
    return None


def _pair_of(hx: Tensor, layer: nn.Module) -> tuple[Tensor, Tensor]:
    if isinstance(hx, JointState):
        return hx.h, hx.c
    if not layer.__dict__.get("_warned_of_h") and bool(hx.detach().any()):
        layer.__dict__["_warned_of_h"] = True
        warnings.warn(
            "gradreach.swap: the LSTM was given an h that carries no c, and starts with c = 0. That is right for an h "
            "from elsewhere, as an encoder's; where it is the layer's own, hand on the state that the layer returned",
            stacklevel=2,
        )
    return hx, torch.zeros_like(hx)


# what a whole model is saved with: torch.load(weights_only=True) asks for it
torch.serialization.add_safe_globals([_take_h, _give_h, _take_pair, _give_pair])
