"""The null of the score test: the same scores with random signs, one for each cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class SignFlips:
    """The statistic S of each cell as it was seen, (c,), and under every draw of the signs, (c, flips)."""

    seen: Tensor
    drawn: Tensor

    def standardised(self) -> tuple[Tensor, Tensor]:
        """z of what was seen, (c,), and of every draw, (c, flips): standard deviations above the mean of the draws."""
        mean = self.drawn.mean(1, keepdim=True)
        deviation = self.drawn.std(1, keepdim=True).clamp_min(1e-30)
        return ((self.seen.unsqueeze(1) - mean) / deviation).squeeze(1), (self.drawn - mean) / deviation


def flip(totals: Tensor, scores: Tensor, signs: Tensor) -> SignFlips:
    """S = ‖total‖² of each cell, `totals` (c, k), against ‖Σ_i s_i M_i‖² of `scores` (clusters, c, k).

    `signs` (flips, clusters) are ±1. This is the flip-score test (Hemerik, Goeman, Finos 2020), by clusters as in
    Kline, Santos 2012.
    """
    clusters, cells, k = scores.shape
    drawn = (signs @ scores.reshape(clusters, cells * k).to(signs.dtype)).reshape(-1, cells, k).square().sum(-1)
    return SignFlips(totals.square().sum(-1), drawn.T.double())


def p_value(seen: Tensor, drawn: Tensor) -> float:
    """(1 + number of draws at or above what was seen) / (1 + draws): never below its level by chance of the draws."""
    return float((1 + (drawn >= seen).sum()) / (1 + drawn.numel()))


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """q of each p: the smallest false discovery rate at which it counts (Benjamini, Hochberg 1995)."""
    order = sorted(range(len(p)), key=lambda i: p[i], reverse=True)
    q = [1.0] * len(p)
    least = 1.0
    for rank, i in zip(range(len(p), 0, -1), order, strict=True):
        least = min(least, p[i] * len(p) / rank)
        q[i] = least
    return q
