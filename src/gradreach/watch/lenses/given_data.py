"""What the layers with weights are given of the script's own data: how large it is, by features and by rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import isfinite

import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.data import GivenData
from gradreach.watch.graph import maker, on_gradient
from gradreach.watch.lens import Lens, ModuleCall, WatchedStep
from gradreach.watch.models import own_parameters
from gradreach.watch.row_sizes import RowSizes, row_sizes
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
        self._rows: dict[int, RowSizes] = {}
        self._within: list[int] = []
        self._heard: set[int] = set()

    def entering(self, module: nn.Module) -> None:
        """Note that the module is under way."""
        self._within.append(id(module))

    def ended(self, module: nn.Module) -> None:
        """Note that the module is no longer under way, nor what it called."""
        while self._within and self._within.pop() != id(module):
            pass

    def called(self, call: ModuleCall) -> None:
        """Measure what one call of such a module was given; at its output, and that of a root, listen for gradients."""
        y = first_tensor(call.output)
        measured = self._measure(call, y)
        listening = [measured] if measured is not None else []
        if len(self._within) == 1 and id(call.module) not in self._heard:
            self._heard.add(id(call.module))
            listening = list(self._rows.values())
        node = maker(y) if y is not None and listening else None
        for rows in listening:
            if node is not None and y is not None and rows.fit(y):
                on_gradient(node, y.output_nr, partial(self._take, rows), self.step.own_work)

    def look(self, look: Look) -> Look:
        """The look's `given`."""
        each = (self._seen(key, module, sizes.tolist()) for key, (module, sizes) in self._given.items())
        return replace(look, given=tuple(given for given in each if given.rms < float("inf")))

    def _measure(self, call: ModuleCall, y: Tensor | None) -> RowSizes | None:
        """Measure what a module with weights is given at first; its rows, where they are known."""
        module = call.module
        if not call.of_model or module._modules or id(module) in self._given or len(self._given) >= MOST_LAYERS:
            return None
        x = first_tensor(*call.args, *call.kwargs.values())
        if x is None or "Norm" in type(module).__name__ or not own_parameters(module) or not _is_data(x):
            return None
        squares = x.detach().double().square()
        self._given[id(module)] = module, torch.stack([*_sizes(module, squares), *_apart(x, y)])
        rows = row_sizes(module, squares) if y is not None and y.requires_grad else None
        if rows is not None:
            self._rows[id(module)] = rows
        return rows

    def _take(self, rows: RowSizes, gradient: Tensor) -> None:
        if self.step.is_recording:
            rows.take(gradient)

    def _seen(self, key: int, module: nn.Module, sizes: Sequence[float]) -> GivenData:
        rms, largest, middle, features, within, out = sizes
        rows = self._rows[key].figures() if key in self._rows else ()
        more = map(_known, (within, out, *rows))
        return GivenData(
            self.step.models.path(module), type(module).__name__, rms, largest, middle, int(features), *more
        )


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
