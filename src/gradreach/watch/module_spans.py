"""In which module's forward each operation of a step was made, by the numbers that autograd gives to operations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

MOST_CALLS = 50_000


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of a module: the autograd nodes that it made have numbers from `begin` up to `end`."""

    module: nn.Module
    begin: int
    end: int

    def holds(self, numbers: Collection[int]) -> bool:
        return self.begin <= min(numbers) and max(numbers) < self.end


@dataclass(slots=True)
class ModuleSpans:
    """The calls of modules on one step; none where torch does not tell the numbers."""

    _entered: list[tuple[nn.Module, int]] = field(default_factory=list)
    _calls: list[_Call] = field(default_factory=list)

    def entering(self, module: nn.Module) -> None:
        """A module is about to be called: note which operation comes next."""
        number = next_number()
        if number is not None and len(self._calls) < MOST_CALLS:
            self._entered.append((module, number))

    def called(self, module: nn.Module) -> None:
        """A module has returned: note which operations the call was made of."""
        while self._entered:
            entered, begin = self._entered.pop()
            if entered is module:  # others raised and never came back
                self._calls.append(_Call(module, begin, next_number() or 0))
                return

    def module_of(self, *numbers: int) -> nn.Module | None:
        """The innermost module in one call of whose forward all nodes with these numbers were made."""
        around = (call for call in self._calls if call.holds(numbers))
        found = min(around, key=lambda call: call.end - call.begin, default=None)
        return None if found is None else found.module

    def are_of(self, modules: Collection[int], numbers: Collection[int]) -> bool:
        """Whether any of these nodes was made in a call of one of these modules, by identity."""
        calls = [call for call in self._calls if id(call.module) in modules]
        return any(call.holds((number,)) for call in calls for number in numbers)


def next_number() -> int | None:
    """The number that autograd gives to the next operation of this thread; None where torch does not tell."""
    tell: Any = getattr(torch._C._autograd, "_get_sequence_nr", None)
    return None if tell is None else int(tell())
