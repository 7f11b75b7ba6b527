"""How large each row is that a layer is given, and which rows the loss reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

FEWEST = 8


class RowSizes:
    """The rms of each row of data of a layer, whose squares these are: a row is what lies at one place of the axes
    `kept`. `take` is for gradients at what comes of the rows."""

    def __init__(self, squares: Tensor, kept: Sequence[int]) -> None:
        self._kept = kept
        self._sizes = _reduced(squares, kept, torch.mean).sqrt()
        self._read: Tensor | None = None

    def fit(self, y: Tensor) -> bool:
        """Whether a tensor has a place for each row."""
        return y.dim() > max(self._kept) and all(
            y.shape[axis] == size for axis, size in zip(self._kept, self._sizes.shape, strict=True)
        )

    @torch.no_grad()
    def take(self, gradient: Tensor) -> None:
        """A gradient that arrived at such a tensor: the loss reads the rows where it is not 0."""
        read = (_reduced(gradient.detach().abs(), self._kept, torch.amax) != 0).to(self._sizes.device)
        self._read = read if self._read is None else self._read | read

    @torch.no_grad()
    def figures(self) -> tuple[float, float]:
        """The rms of the largest row that the loss reads, and the median of all rows that are not 0; NaN where there is
        none."""
        nothing = self._sizes.new_tensor(float("nan"))
        if self._read is None:
            return float("nan"), float("nan")
        largest = self._sizes.where(self._read, 0.0).max()
        middle = self._sizes.where(self._sizes > 0, nothing).nanmedian()
        row, other = torch.stack([largest, middle]).tolist()
        return row, other


def row_sizes(module: nn.Module, squares: Tensor) -> RowSizes | None:
    """Those of what a layer of torch's own is given that weighs its data and adds them up; None where it is another,
    where the axis of the rows is not known and where they are too few."""
    kept = _row_axes(module, squares.dim())
    if not kept or not type(module).__module__.startswith("torch."):
        return None
    rows = 1
    for axis in kept:
        rows *= squares.shape[axis]
    return RowSizes(squares, kept) if rows >= FEWEST else None


def _row_axes(module: nn.Module, axes: int) -> Sequence[int]:
    if isinstance(module, nn.modules.conv._ConvNd):
        return (0,) if axes == len(module.kernel_size) + 2 else ()
    if isinstance(module, nn.RNNBase):
        return () if axes != 3 else (0,) if module.batch_first else (1,)
    return range(axes - 1) if isinstance(module, nn.Linear | nn.RNNCellBase) else ()


def _reduced(value: Tensor, kept: Sequence[int], reduce: Callable[..., Tensor]) -> Tensor:
    others = [axis for axis in range(value.dim()) if axis not in kept]
    return reduce(value, others) if others else value
