"""The reach curve, and the figures that follow from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from gradreach.engine.reach_map import ReachMap, table
from gradreach.record.seen.recurrence import HORIZON_LIMIT


def log2_curve(reach: ReachMap) -> tuple[float, ...]:
    """log2 r(ℓ), r(ℓ) = Σ_t R[t, t−ℓ] / Σ_t R[t, t], both over t ≥ ℓ; ends before the first lag that is not a number.

    It stays exact where r itself is too small or too large for a float; −inf where it is 0.
    """
    largest = reach.log2_norms.amax(0).clamp(min=-1e300) if len(reach.anchors) else reach.errors
    total = largest + torch.exp2(reach.log2_norms - largest).sum(0).log2()
    r = (total - reach.errors.log2()).tolist()
    stop = next((lag for lag, each in enumerate(r) if math.isnan(each) or each == math.inf), len(r))
    return tuple(r[:stop])


def curve(reach: ReachMap) -> tuple[float, ...]:
    """r(ℓ) as numbers (see `log2_curve`); ends before the first lag at which it is not finite."""
    r = [2.0**each if each < 1024 else math.inf for each in log2_curve(reach)]
    return tuple(r[: r.index(math.inf)] if math.inf in r else r)


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
