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


def is_transformed() -> bool:
    """Whether a call is transformed (vmap, grad, jvp …), or recorded to be run elsewhere (torch.jit.trace, torch.fx,
    torch.compile, torch.export): its tensors stand for many, or for none, and what we did would be recorded too."""
    return (
        torch._C._are_functorch_transforms_active()
        or torch._C._get_tracing_state() is not None
        or torch.compiler.is_compiling()
        or _is_fx_tracing()
    )


class ModuleHooks:
    """Calls `enter` before and `leave` after every forward pass of every module, until `remove`.

    While there are hooks, torch puts one more frame into every call of a module, where there were three: so that a
    script whose modules call each other deeply comes no nearer to Python's recursion limit, that limit is raised.
    """

    def __init__(self, enter: Enter, leave: Leave) -> None:
        self._limit = sys.getrecursionlimit()
        self._raised = self._limit * 4 // 3 + OWN_FRAMES
        sys.setrecursionlimit(self._raised)
        self._handles = [
            torch_module.register_module_forward_pre_hook(enter),
            torch_module.register_module_forward_hook(leave, with_kwargs=True),
        ]

    def remove(self) -> None:
        """Take both away, with the entry that torch's own handle leaves behind and that would slow every later call."""
        kept = getattr(torch_module, "_global_forward_hooks_with_kwargs", {})
        for handle in self._handles:
            handle.remove()
            kept.pop(handle.id, None)
        if self._handles and sys.getrecursionlimit() == self._raised:
            with suppress(RecursionError):  # too deep to lower it here
                sys.setrecursionlimit(self._limit)
        self._handles = []
