"""Whether models run in training or in evaluation mode, and whether their batch norms keep statistics at all."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from gradreach.record.look import Look
from gradreach.record.seen.loop import Mode
from gradreach.watch.lens import Lens, ModuleCall, WatchedStep
from gradreach.watch.models import modules_of

MOST_MODULES = 1_000


class Modes(Lens):
    """Takes in the dropouts and the batch norms that run with gradients on."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._ran: dict[int, nn.Module] = {}

    def called(self, call: ModuleCall) -> None:
        """Note a module that does something else in either mode."""
        if call.of_model and len(self._ran) < MOST_MODULES and _depends_on_mode(call.module):
            self._ran[id(call.module)] = call.module

    def look(self, look: Look) -> Look:
        """The look's `modes`: one for each model, and for each way in which its modules stand."""
        counted: dict[Mode, int] = {}
        for root in self.step.models:
            for _, module in modules_of(root):
                if self._ran.pop(id(module), None) is not None:
                    mode = _mode(self.step.models.path(root), root, module)
                    counted[mode] = counted.get(mode, 0) + 1
        return replace(look, modes=tuple(replace(mode, modules=count) for mode, count in counted.items()))


def _depends_on_mode(module: nn.Module) -> bool:
    if isinstance(module, _DropoutNd):
        return module.p > 0.0
    return isinstance(module, _BatchNorm) and isinstance(module.running_var, torch.Tensor)


def _mode(path: str, root: nn.Module, module: nn.Module) -> Mode:
    if not isinstance(module, _BatchNorm):
        return Mode(path, norms=False, training=module.training, evaluates=not root.training)
    return Mode(path, True, module.training, not root.training, module.momentum, _is_blank(module))


@torch.no_grad()
def _is_blank(norm: _BatchNorm) -> bool:
    """Whether the statistics are those that a batch norm begins with."""
    mean, variance = norm.running_mean, norm.running_var
    blank = mean is not None and variance is not None and not mean.any() and (variance == 1.0).all()
    return bool(blank)
