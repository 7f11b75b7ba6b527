"""The inputs that lie before a position, at one lag or summed over a band of lags."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gradreach.score.features import steps_of
from gradreach.score.ladder import Band
from gradreach.score.rows import Rows


class LaggedInputs:
    """Features of every step of all batches, ready to be summed over any band of lags before any position."""

    def __init__(self, features: Sequence[Tensor]) -> None:
        """`features`: one (N, T, d) a batch."""
        sums = [torch.cat([torch.zeros_like(x[:, :1]), x.cumsum(1)], 1) for x in (each.double() for each in features)]
        self._sums = steps_of(sums)
        self._lengths = torch.tensor([x.shape[1] for x in sums])
        sizes = torch.tensor([x.shape[0] * x.shape[1] for x in sums])
        self._starts = sizes.cumsum(0) - sizes

    def at(self, rows: Rows, band: Band) -> Tensor:
        """Σ φ(x_{t−ℓ}) / √(until − lag + 1) over ℓ of the band, (n, d); nothing lies before the first step."""
        start = self._starts[rows.batch] + rows.sequence * self._lengths[rows.batch]
        last = (rows.step - band.lag + 1).clamp_min(0)
        first = (rows.step - band.until).clamp_min(0)
        return (self._sums[start + last] - self._sums[start + first]) / math.sqrt(band.until - band.lag + 1)
