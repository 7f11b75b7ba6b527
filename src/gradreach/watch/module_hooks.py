"""Global hooks on every module call, for as long as a step is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as torch_module

Enter = Callable[[nn.Module, tuple[Any, ...]], None]
Leave = Callable[[nn.Module, tuple[Any, ...], dict[str, Any], Any], None]


def is_transformed() -> bool:
    """Whether a transform of torch.func (vmap, grad, jvp …) runs the call: its tensors stand for many, or for none."""
    return torch._C._are_functorch_transforms_active()


class ModuleHooks:
    """Calls `enter` before and `leave` after every forward pass of every module, until `remove`."""

    def __init__(self, enter: Enter, leave: Leave) -> None:
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
