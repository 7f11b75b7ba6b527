"""The score test of one band of lags: the statistic, its null by sign flips, and the size of what it found."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradreach.score.ladder import Band
from gradreach.score.lagged_inputs import LaggedInputs
from gradreach.score.regression import Regression
from gradreach.score.rows import Rows
from gradreach.score.sign_flips import SignFlips, flip, p_value

_NEGLIGIBLE = 1e-3
"""Directions of the inputs with less than this part of the largest variance are left out."""

_TOLD = 1e-4
"""And those of whose variance the covariates leave no more: they follow from the nearer inputs."""

FIRST_DRAWS = 500
PROMISING = 0.02
"""The share of the first draws that come up to what was seen below which the rest are drawn too."""

_POWER = 1.645
"""Standard normal quantile of 95 %."""


@dataclass(frozen=True)
class BandScore:
    """The figures of one band, as in `record.schema.Lag`. `detectable` is for a band tested at `level`."""

    z: float
    p: float
    at: int
    share: float
    detectable: float


def score(
    rows: Rows, band: Band, features: LaggedInputs, covariates: Tensor, signs: Tensor, level: float
) -> BandScore | None:
    """Test one band with the `covariates` (n, q) held fixed, under `signs` (flips, clusters).

    S(cell) = ‖Σ_i M_i‖², M_i = Σ_t e_res ⊗ f_res over the rows of cluster i, f_res with unit covariance: Rao's score
    with the inputs' information, the errors' left out. The band's statistic is the largest standardised cell, in
    what was seen and in every draw alike, so that looking for the best cell costs its price.
    """
    fit = Regression(covariates, rows)
    whole = rows.centred(rows.errors)
    errors = fit.residual(whole)
    largest_share = float(errors.square().sum() / whole.square().sum())
    widened = fit.widened(errors) / rows.share_left().sqrt()
    cells = band.cells()
    inputs = torch.cat([features.at(rows, cell) for cell in cells], 1)
    centred = rows.centred(inputs)
    least = _TOLD * centred.square().mean(0).reshape(len(cells), -1).amax(1)
    inputs = fit.residual(centred).reshape(len(inputs), len(cells), -1)
    inputs = torch.stack([_white(inputs[:, c], float(least[c])) for c in range(len(cells))], 1)
    if not bool(inputs.any()):
        return None
    if largest_share <= _TOLD:
        return BandScore(0.0, 1.0, band.lag, 0.0, largest_share)
    products = rows.products(widened, inputs)
    totals = torch.einsum("np,ncd->cpd", errors, inputs).reshape(len(cells), -1)
    flipped = flip(totals, products, signs[:FIRST_DRAWS])
    if _largest(flipped)[0] <= PROMISING:
        flipped = flip(totals, products, signs)
    p, best, largest = _largest(flipped)
    z, _ = flipped.standardised()
    deviation = flipped.drawn.std(1)
    scale = float(len(inputs) * whole.square().sum())
    return BandScore(
        z=float(z[best]),
        p=p,
        at=cells[best].lag,
        share=float((z[best] - largest.mean()) * deviation[best]) / scale,
        detectable=_detectable(flipped.drawn[0], float(largest.quantile(1.0 - level))) / scale,
    )


def _largest(flipped: SignFlips) -> tuple[float, int, Tensor]:
    """p of the largest standardised cell, which one it is, and the largest of every draw."""
    z, drawn = flipped.standardised()
    largest = drawn.max(0).values
    return p_value(z.max(), largest), int(z.argmax()), largest


def _white(inputs: Tensor, least: float) -> Tensor:
    """(n, d) with unit covariance in every direction that varies by more than `least`."""
    variances, vectors = torch.linalg.eigh(inputs.T @ inputs / len(inputs))
    alive = variances > (_NEGLIGIBLE * variances[-1]).clamp_min(max(least, 1e-30))
    scaled: Tensor = vectors * torch.where(alive, variances.clamp_min(1e-30).rsqrt(), 0.0)
    return inputs @ scaled


def _detectable(drawn: Tensor, critical: float) -> float:
    """The non-centrality μ that is found 95 times in 100: μ − 1.645 √(σ² + 4 μ λ) = critical · σ.

    A null Σ λ_i χ²_1 has mean Σ λ_i and variance σ² = 2 Σ λ_i²; the signal's direction holds Σ λ_i² / Σ λ_i of it.
    """
    deviation = float(drawn.std())
    share = deviation**2 / (2.0 * max(float(drawn.mean()), 1e-30))
    needed = critical * deviation
    half = needed + 2.0 * _POWER**2 * share
    return half + math.sqrt(max(half**2 - needed**2 + (_POWER * deviation) ** 2, 0.0))
