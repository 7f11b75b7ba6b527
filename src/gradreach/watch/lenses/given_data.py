"""What the layers with weights are given of the script's own data: how large it is, by features and by rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.data import GivenData
from gradreach.watch.graph import maker
from gradreach.watch.lens import Lens, ModuleCall, WatchedStep
from gradreach.watch.models import own_parameters
from gradreach.watch.tensors import first_tensor, is_dense_and_real

MOST_LAYERS = 16
FEWEST_ROWS = 8
MOST_NUMBERS = 1 << 18
"""Values that are compared from row to row."""


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
        squares, y = x.detach().double().square(), first_tensor(call.output)
        sizes = [*_sizes(module, squares), *_apart(x, y), *_rows(module, squares, y)]
        self._given[id(module)] = module, torch.stack(sizes)

    def look(self, look: Look) -> Look:
        """The look's `given`."""
        found = ((self.step.models.path(module), module, sizes.tolist()) for module, sizes in self._given.values())
        given = (
            GivenData(path, type(module).__name__, rms, largest, middle, int(features), *map(_known, more))
            for path, module, (rms, largest, middle, features, *more) in found
            if rms < float("inf")
        )
        return replace(look, given=tuple(given))


def _is_data(x: Tensor) -> bool:
    return maker(x) is None and not x.requires_grad and is_dense_and_real(x) and x.dim() > 0 and x.numel() > 0


@torch.no_grad()
def _sizes(module: nn.Module, squares: Tensor) -> Sequence[Tensor]:
    """The rms of all data, the largest and the median rms of their features, and how many these are."""
    feature = squares.dim() - 1
    if isinstance(module, nn.modules.conv._ConvNd):
        feature -= len(module.kernel_size)
    mean_squares = squares.movedim(feature, -1).reshape(-1, squares.shape[feature]).mean(0)
    each = mean_squares.sqrt()
    return mean_squares.mean().sqrt(), each.max(), each.median(), each.new_tensor(float(len(each)))


@torch.no_grad()
def _rows(module: nn.Module, squares: Tensor, y: Tensor | None) -> Sequence[Tensor]:
    """The largest rms of the rows of data, and the median one of those that are not all 0; NaN where none is known."""
    nothing, axis = squares.new_tensor(float("nan")), _row_axis(module, squares.dim())
    if axis is None or squares.shape[axis] < FEWEST_ROWS or y is None or not y.requires_grad:
        return nothing, nothing
    each = squares.mean([other for other in range(squares.dim()) if other != axis]).sqrt()
    return each.max(), each.where(each > 0, nothing).nanmedian()


def _row_axis(module: nn.Module, axes: int) -> int | None:
    """The axis of the rows for a layer of torch's own that weighs its data and adds them up; else None."""
    if not type(module).__module__.startswith("torch."):
        return None
    if isinstance(module, nn.modules.conv._ConvNd):
        return 0 if axes == len(module.kernel_size) + 2 else None
    if isinstance(module, nn.RNNBase):
        return None if axes != 3 else 0 if module.batch_first else 1
    return 0 if isinstance(module, nn.Linear | nn.RNNCellBase) and axes > 1 else None


@torch.no_grad()
def _apart(x: Tensor, y: Tensor | None) -> Sequence[Tensor]:
    """How far the rows of the data lie apart, and those of what was made of them, each in parts of its rms.

    NaN where there are too few rows, or not as many of the one as of the other.
    """
    nothing = torch.full((), float("nan"), dtype=torch.float64, device=x.device)
    if y is None or not is_dense_and_real(y) or y.dim() == 0 or not y.numel() or y.device != x.device:
        return nothing, nothing
    if x.shape[0] != y.shape[0] or x.shape[0] < FEWEST_ROWS:
        return nothing, nothing
    return [each.var(0).mean().sqrt() / each.square().mean().sqrt() for each in (_sample(x), _sample(y))]


def _sample(x: Tensor) -> Tensor:
    """The rows of a tensor, of each as many values as may be read, in even distances."""
    rows = x.detach().reshape(len(x), -1)
    return rows[:, :: max(x.numel() // MOST_NUMBERS, 1)].double()


def _known(value: float) -> float | None:
    return value if isfinite(value) else None
