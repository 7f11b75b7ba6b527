"""Modules whose class writes a backward pass of its own, which autograd knows nothing of."""

from __future__ import annotations

import inspect
from dataclasses import replace

from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.loop import UnheardBackward
from gradreach.watch.lens import Lens, ModuleCall, WatchedStep
from gradreach.watch.tensors import tensors_of

MOST_MODULES = 16

LIBRARIES = ("torch.", "lightning.", "pytorch_lightning.", "deepspeed.", "accelerate.", "transformers.")
"""Whose modules have a `backward` that the script, or the library itself, calls."""

GRADIENTS = ("grad", "dy", "dout", "upstream")
"""What the name of a gradient begins with, as the argument of such a method."""


class UnheardBackwards(Lens):
    """Notes the modules on the way to the loss that have a method `backward` for a gradient."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._known: dict[type[nn.Module], bool] = step.carried.setdefault(UnheardBackwards, {})
        self._found: dict[int, nn.Module] = {}

    def called(self, call: ModuleCall) -> None:
        """Note a module of such a class."""
        kind = type(call.module)
        if kind not in self._known:
            self._known[kind] = _has_backward(kind)
        if self._known[kind] and call.of_model and len(self._found) < MOST_MODULES and _has_graph(call.output):
            self._found[id(call.module)] = call.module

    def look(self, look: Look) -> Look:
        """The look's `unheard`."""
        told = (UnheardBackward(self.step.models.path(each), type(each).__name__) for each in self._found.values())
        return replace(look, unheard=tuple(told))


def _has_graph(output: object) -> bool:
    return any(isinstance(each, Tensor) and each.requires_grad for each in tensors_of(output))


def _has_backward(kind: type[nn.Module]) -> bool:
    """Whether a class of the script has a method `backward` that takes a gradient."""
    method = getattr(kind, "backward", None)
    own = next((base for base in kind.__mro__ if "backward" in vars(base)), None)
    if own is None or not inspect.isfunction(method) or f"{own.__module__}.".startswith(LIBRARIES):
        return False
    taken = [name for name in inspect.signature(method).parameters if name not in ("self", "ctx")]
    return bool(taken) and taken[0].lower().startswith(GRADIENTS)
