"""Modules with weights that a forward pass makes for itself: they get a gradient, and are gone with the pass."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from gradreach.record.look import Look
from gradreach.record.seen.loop import FleetingPart
from gradreach.watch.lens import Lens, ModuleCall, WatchedStep
from gradreach.watch.models import own_parameters

MOST_PARTS = 64


@dataclass(frozen=True, slots=True)
class _Called:
    """A module with weights that was called, without holding it, and the module in whose forward that was."""

    module: weakref.ref[nn.Module]
    inside: nn.Module | None
    kind: str


class FleetingParts(Lens):
    """Notes the modules that no known model holds, and whether those of the look before are gone."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._entered: list[nn.Module] = []
        self._called: list[_Called] = []

    def entering(self, module: nn.Module) -> None:
        """Note that the module is under way."""
        self._entered.append(module)

    def called(self, call: ModuleCall) -> None:
        """Note a module with weights of its own that another one has called."""
        while self._entered and self._entered.pop() is not call.module:  # others raised and never came back
            pass
        inside = self._entered[-1] if self._entered else None
        if inside is not None and len(self._called) < MOST_PARTS and own_parameters(call.module):
            self._called.append(_Called(weakref.ref(call.module), inside, type(call.module).__name__))

    def look(self, look: Look) -> Look:
        """The look's `fleeting`."""
        owned = self.step.models.parameter_names()
        leaves = {id(leaf) for leaf in self.step.leaves if id(leaf) not in owned}
        mine = [each for each in self._called if leaves and _learns(each.module(), leaves)]
        before: Sequence[weakref.ref[nn.Module]] = self.step.carried.get(FleetingParts, ())
        self.step.carried[FleetingParts] = [each.module for each in mine]
        if not before or any(module() is not None for module in before):
            return look
        return replace(look, fleeting=tuple(self._part(each) for each in mine))

    def _part(self, called: _Called) -> FleetingPart:
        module = called.module()
        count = 0 if module is None else len(own_parameters(module))
        inside = "" if called.inside is None else self.step.models.path(called.inside)
        return FleetingPart(called.kind, inside, count)


def _learns(module: nn.Module | None, leaves: set[int]) -> bool:
    return module is not None and any(p.requires_grad and id(p) in leaves for p in own_parameters(module))
