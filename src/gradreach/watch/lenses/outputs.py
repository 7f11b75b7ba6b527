"""Whether the root modules put out something else for each row of a batch."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.loss import OutputLook
from gradreach.watch.lens import Lens, ModuleCall, WatchedStep
from gradreach.watch.tensors import first_tensor, is_dense_and_real

FEWEST_ROWS = 8
MOST_NUMBERS = 1 << 18
"""Numbers of an output that are read; of more, the first of each row."""


class Outputs(Lens):
    """Measures what each root returns, at once: nothing of it is kept."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._entered: list[nn.Module] = []
        self._seen: dict[int, tuple[nn.Module, int, float, float]] = {}

    def entering(self, module: nn.Module) -> None:
        """Note that the module is under way."""
        self._entered.append(module)

    def called(self, call: ModuleCall) -> None:
        """Measure the output of a module that no other one called."""
        while self._entered and self._entered.pop() is not call.module:  # others raised and never came back
            pass
        output = first_tensor(call.output)
        if self._entered or not call.of_model or output is None or not is_dense_and_real(output):
            return
        if output.dim() and output.shape[0] >= FEWEST_ROWS and output.numel():
            self._seen[id(call.module)] = (call.module, output.shape[0], *_measured(output))

    def look(self, look: Look) -> Look:
        """The look's `outputs`."""
        each = tuple(
            OutputLook(self.step.models.path(module), rows, rms, deviation)
            for module, rows, rms, deviation in self._seen.values()
        )
        return replace(look, outputs=each)


def _measured(output: Tensor) -> tuple[float, float]:
    with torch.no_grad():
        rows = output.detach().reshape(output.shape[0], -1)
        rows = rows[:, : max(MOST_NUMBERS // len(rows), 1)].float()
        return rows.square().mean().sqrt().item(), rows.var(dim=0).mean().sqrt().item()
