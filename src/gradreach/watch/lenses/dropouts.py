"""The modules that drop half of what passes through them, or more."""

from __future__ import annotations

from dataclasses import replace

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from gradreach.record.look import Look
from gradreach.record.seen.loop import Dropping
from gradreach.watch.lens import Lens, ModuleCall, WatchedStep

HALF = 0.5

MOST_MODULES = 1_000


class Dropouts(Lens):
    """Takes in dropouts, and the layers that have one within, as they run in training mode with gradients on."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._ran: dict[int, nn.Module] = {}

    def called(self, call: ModuleCall) -> None:
        """Note a module that drops much."""
        if call.of_model and len(self._ran) < MOST_MODULES and _drops(call.module) >= HALF:
            self._ran[id(call.module)] = call.module

    def look(self, look: Look) -> Look:
        """The look's `dropping`."""
        told = [
            Dropping(self.step.models.path(module), type(module).__name__, _drops(module))
            for module in self._ran.values()
        ]
        return replace(look, dropping=tuple(told))


def _drops(module: nn.Module) -> float:
    """The share of what passes that a module drops as it stands: between the layers of a stacked recurrent one, and of
    the weights of an attention."""
    if not module.training:
        return 0.0
    if isinstance(module, _DropoutNd):
        return float(module.p)
    if isinstance(module, nn.RNNBase):
        return float(module.dropout) if module.num_layers > 1 else 0.0
    return float(module.dropout) if isinstance(module, nn.MultiheadAttention) else 0.0
