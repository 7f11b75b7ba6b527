"""Global hooks on every module call, for as long as a step is looked at."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import nn
from torch.fx import _symbolic_trace
from torch.nn.modules import module as torch_module

OWN_FRAMES = 200
"""Frames that our own work may need on top of the script's."""

_is_fx_tracing: Callable[[], bool] = getattr(_symbolic_trace, "is_fx_symbolic_tracing", _symbolic_trace.is_fx_tracing)
"""The first where torch has it, for there the second warns."""

Enter = Callable[[nn.Module, tuple[Any, ...]], None]
Leave = Callable[[nn.Module, tuple[Any, ...], dict[str, Any], Any], None]
End = Callable[[nn.Module, Any, Any], None]


def is_transformed() -> bool:
    """Whether a call is transformed (vmap, grad, jvp …), or recorded to be run elsewhere (torch.jit.trace, torch.fx,
    torch.compile, torch.export): its tensors stand for many, or for none, and what we did would be recorded too."""
    return (
        torch._C._are_functorch_transforms_active()
        or torch._C._get_tracing_state() is not None
        or torch.compiler.is_compiling()
        or _is_fx_tracing()
    )


_OURS: set[int] = set()
"""The numbers of our own hooks behind every module's forward pass."""


def others_listen() -> bool:
    """Whether anyone but us hears of every module's forward pass."""
    return not _OURS.issuperset(torch_module._global_forward_hooks)


class ModuleHooks:
    """Calls `enter` before and `leave` after every forward pass of every module, until `remove`; `end` after it
    too, and where it raised.

    While there are hooks, torch puts one more frame into every call of a module, where there were three: so that a
    script whose modules call each other deeply comes no nearer to Python's recursion limit, that limit is raised.
    """

    def __init__(self, enter: Enter, leave: Leave, end: End | None = None) -> None:
        self._limit = sys.getrecursionlimit()
        self._raised = self._limit * 4 // 3 + OWN_FRAMES
        sys.setrecursionlimit(self._raised)
        self._handles = [
            torch_module.register_module_forward_pre_hook(enter),
            torch_module.register_module_forward_hook(leave, with_kwargs=True),
        ]
        if end is not None:
            self._handles.append(torch_module.register_module_forward_hook(end, always_call=True))
        _OURS.update(handle.id for handle in self._handles)

    def remove(self) -> None:
        """Take them away, with the entries that torch's own handles leave behind; these would slow later calls."""
        names = ("_global_forward_hooks_with_kwargs", "_global_forward_hooks_always_called")
        kept = [getattr(torch_module, name, {}) for name in names]
        for handle in self._handles:
            handle.remove()
            for each in kept:
                each.pop(handle.id, None)
            _OURS.discard(handle.id)
        if self._handles and sys.getrecursionlimit() == self._raised:
            with suppress(RecursionError):  # too deep to lower it here
                sys.setrecursionlimit(self._limit)
        self._handles = []
