"""The reach curve, and the figures that follow from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gradreach.engine import student_t
from gradreach.engine.reach_map import ReachMap, table
from gradreach.record.seen.recurrence import HORIZON_LIMIT


def log2_curve(reach: ReachMap) -> tuple[float, ...]:
    """log2 r(ℓ), r(ℓ) = Σ_t R[t, t−ℓ] / Σ_t R[t, t], both over t ≥ ℓ; ends before the first lag that is not a number.

    It stays exact where r itself is too small or too large for a float; −inf where it is 0. Steps that were drawn count
    as many times as one over their chance: numerator and denominator are then true in the mean over all draws.
    """
    r = (_log2_total(reach) - reach.errors.log2()).tolist()
    stop = next((lag for lag, each in enumerate(r) if math.isnan(each) or each == math.inf), len(r))
    return tuple(r[:stop])


def curve(reach: ReachMap) -> tuple[float, ...]:
    """r(ℓ) as numbers (see `log2_curve`); ends before the first lag at which it is not finite."""
    r = [_number(each) for each in log2_curve(reach)]
    return tuple(r[: r.index(math.inf)] if math.inf in r else r)


def interval(reach: ReachMap) -> tuple[tuple[float, float], ...] | None:
    """The 95 % interval of r(ℓ) at every lag of the curve, over the steps that could have been drawn.

    Both ends are r(ℓ) where all steps that reach so far are in, (0, inf) where too few of them are to tell. None where
    no chance chose the steps.

    It is r · exp(± t √v). v is the variance of a ratio of two estimated sums, relative to the ratio: a step's part in
    it is its share of the numerator less that of the denominator (Särndal, Swensson and Wretman 1992, Model Assisted
    Survey Sampling), and unequal chances without replacement enter by Hájek's approximation (Hájek 1964, Asymptotic
    theory of rejective sampling). t is of Student's distribution with one degree of freedom fewer than steps drawn. The
    interval is of log r, as norms are never under 0 and a few are far larger than the rest.
    """
    if reach.chances is None:
        return None
    log2_r = log2_curve(reach)
    lags = len(log2_r)
    free = (1.0 - reach.log2_weights.neg().exp2()) * (
        reach.depth.amax(1, keepdim=True) > torch.arange(lags, device="cpu")
    )
    count, variance = (free > 0).sum(0).tolist(), _relative_variance(reach, lags, free).tolist()
    return tuple(
        (_number(r), _number(r)) if lag >= reach.whole_from else _around(r, variance[lag], count[lag])
        for lag, r in enumerate(log2_r)
    )


def _around(log2_r: float, variance: float, count: int) -> tuple[float, float]:
    if count < 2 or log2_r == -math.inf:
        return 0.0, math.inf
    half = student_t.quantile(0.05, count - 1) * math.sqrt(variance) / math.log(2)
    return _number(log2_r - half), _number(log2_r + half)


def _relative_variance(reach: ReachMap, lags: int, free: Tensor) -> Float[Tensor, " L"]:
    """Of r(ℓ), by Hájek's approximation; `free` is 1 − the chance of each anchor that reaches so far, else 0."""
    weights, count = reach.log2_weights, (free > 0).sum(0)
    norms = torch.exp2(reach.log2_norms[:, :lags] + weights - _log2_total(reach)[:lags]).nan_to_num(0.0)
    part = norms - reach.errors_of_each(lags) * weights.exp2() / reach.errors[:lags]
    centre = (free * part).sum(0) / free.sum(0)
    return count / (count - 1) * (free * (part - centre).square()).sum(0)


def _log2_total(reach: ReachMap) -> Float[Tensor, " L"]:
    """log2 of Σ_t R[t, t−ℓ]."""
    norms = reach.log2_norms + reach.log2_weights
    if len(norms) == 0:
        return norms.sum(0)
    largest = norms.amax(0).clamp(min=-1e300)
    return largest + torch.exp2(norms - largest).sum(0).log2()


def _number(log2: float) -> float:
    return 2.0**log2 if log2 < 1024 else math.inf


def curve_from_norms(norms: Mapping[int, Sequence[float]]) -> tuple[float, ...]:
    """r(ℓ) from norms found otherwise, as by autograd: norms[t][ℓ] is the mean of ‖δ_{t→t−ℓ}‖, norms[t][0] of ‖e_t‖."""
    return curve(table(list(norms.values()), tuple(norms)))


def horizon(r: Sequence[float]) -> int:
    """The largest ℓ with r ≥ 0.01 at every lag up to it; 0 where there is no curve."""
    short = next((lag for lag, each in enumerate(r) if each < HORIZON_LIMIT), len(r))
    return max(short - 1, 0)


def factor(r: Sequence[float]) -> float | None:
    """Growth of the reach curve per step: exp of the slope of log r(ℓ), least squares over the lags with r > 0.

    None where the curve has fewer than three lags, or fewer than two with r > 0.
    """
    return growth([math.log2(each) if each > 0 else -math.inf for each in r])


def growth(log2_r: Sequence[float]) -> float | None:
    """`factor` from log2 r(ℓ)."""
    points = [(lag, each) for lag, each in enumerate(log2_r) if each > -math.inf]
    if len(log2_r) < 3 or len(points) < 2:
        return None
    middle = sum(lag for lag, _ in points) / len(points)
    slope = sum((lag - middle) * y for lag, y in points) / sum((lag - middle) ** 2 for lag, _ in points)
    return float(2.0**slope)
