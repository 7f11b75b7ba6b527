"""What the layers with weights are given of the script's own data: how large it is, feature by feature."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.data import GivenData
from gradreach.watch.graph import maker
from gradreach.watch.lens import Lens, ModuleCall, WatchedStep
from gradreach.watch.models import own_parameters
from gradreach.watch.tensors import first_tensor, is_dense_and_real

MOST_LAYERS = 16


class GivenDataSizes(Lens):
    """Measures the first data that each innermost module with weights is given on a step.

    Ids are no sizes, and what a normalisation takes in does not matter.
    """

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._given: dict[int, tuple[nn.Module, Tensor]] = {}

    def called(self, call: ModuleCall) -> None:
        """Measure what one call of such a module was given."""
        module = call.module
        if not call.of_model or module._modules or id(module) in self._given or len(self._given) >= MOST_LAYERS:
            return
        x = first_tensor(*call.args, *call.kwargs.values())
        if x is None or "Norm" in type(module).__name__ or not own_parameters(module) or not _is_data(x):
            return
        self._given[id(module)] = module, _sizes(module, x)

    def look(self, look: Look) -> Look:
        """The look's `given`."""
        found = ((self.step.models.path(module), module, sizes.tolist()) for module, sizes in self._given.values())
        given = (
            GivenData(path, type(module).__name__, rms, largest, middle, int(features))
            for path, module, (rms, largest, middle, features) in found
            if rms < float("inf")
        )
        return replace(look, given=tuple(given))


def _is_data(x: Tensor) -> bool:
    return maker(x) is None and not x.requires_grad and is_dense_and_real(x) and x.dim() > 0 and x.numel() > 0


@torch.no_grad()
def _sizes(module: nn.Module, x: Tensor) -> Tensor:
    """The rms of all of x, the largest and the median rms of its features, and how many these are."""
    feature = x.dim() - 1
    if isinstance(module, nn.modules.conv._ConvNd):
        feature -= len(module.kernel_size)
    squares = x.double().square().movedim(feature, -1).reshape(-1, x.shape[feature]).mean(0)
    each = squares.sqrt()
    return torch.stack([squares.mean().sqrt(), each.max(), each.median(), each.new_tensor(float(len(each)))])
