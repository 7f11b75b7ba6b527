"""Whether a call of a module left anything behind in it: a statistic, a cache, a value that someone reads later."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any

from torch import Tensor, nn

from gradreach.watch.models import modules_of

MOST_PARTS = 1_000
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_PLAIN = ("builtins", "collections")

Part = tuple[int, int]
"""What one attribute is, and how often it was changed in place or how much it holds."""


def state_of(root: nn.Module) -> tuple[Part, ...]:
    """The attributes of a module and of all within it, and what is in their containers: another one after a call that
    set any of them, or changed a tensor or the length of a container among them in place."""
    parts: list[Part] = []
    for _, module in modules_of(root):
        for value in vars(module).values():
            parts.append(_part(value))
            parts += [_part(each) for each in _inside(value)]
            if len(parts) > MOST_PARTS:
                return tuple(parts)
    return tuple(parts)


def has_hooks(root: nn.Module) -> bool:
    """Whether the script listens to the calls of a module, or of any within it, by hooks."""
    return any(vars(module).get(name) for _, module in modules_of(root) for name in _HOOKS)


def _part(value: Any) -> Part:
    if isinstance(value, Tensor):
        return id(value), -1 if value.is_inference() else value._version
    return id(value), len(value) if isinstance(value, Sized) and type(value).__module__ in _PLAIN else 0


def _inside(value: Any) -> Iterator[Any]:
    if type(value) is dict:
        yield from value.values()
    elif type(value) in (list, tuple):
        yield from value
