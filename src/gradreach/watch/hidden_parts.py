"""Modules and parameters that a module keeps where torch does not find them: in lists, tuples and dicts of Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from torch import nn

MOST_MEMBERS = 256
"""Of a container with more members the first are looked at: a memory of a million samples holds no layers."""

_OWN = frozenset(nn.Module().__dict__)
"""What every module keeps for torch itself."""


def held_in(module: nn.Module) -> Iterator[tuple[str, nn.Module | nn.Parameter]]:
    """What the module's containers hold, by how a script reaches it: `.cells[0]`, `.heads['a']`, `.grid[1][0]`."""
    for name, value in vars(module).items():
        if name not in _OWN:
            for place, member in _members(value):
                yield from _found(f".{name}{place}", member)


def _found(place: str, member: Any) -> Iterator[tuple[str, nn.Module | nn.Parameter]]:
    if issubclass(type(member), nn.Module | nn.Parameter):
        yield place, member
        return
    for within, each in _members(member):
        if issubclass(type(each), nn.Module | nn.Parameter):
            yield f"{place}{within}", each


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """The members of one of Python's own containers, each with its index or key in brackets."""
    pairs: Iterator[tuple[Any, Any]]
    if type(value) in (list, tuple):
        pairs = enumerate(value)
    elif isinstance(value, Mapping) and type(value).__module__ in ("builtins", "collections"):
        pairs = iter(value.items())
    else:
        return
    for key, member in islice(pairs, MOST_MEMBERS):
        yield f"[{key!r}]", member
