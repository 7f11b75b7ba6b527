"""How sure a difference between two runs is, where the values of one run hang together.

Step series go by batch means: of each of BATCHES equal stretches one mean a run, and of these the differences B − A,
on which a t interval rests (Alexopoulos and Seila, Output data analysis for simulations, 2001; Law, Simulation Modeling
and Analysis, 2015, 9.5.3). That the two are compared stretch by stretch takes out what both share: the fall of the
loss, the order of the data. In longer stretches a steady drift of the difference is no noise either, and the scatter is
taken about a line. Where batch means still hang together, their variance is too small by (1 + ρ) / (1 − ρ), ρ their
lag-1 correlation (Tafazzoli and Wilson, Skart, 2011); the largest of three estimates of ρ is taken, each corrected for
the bias of short series (Kendall, Note on bias in the estimation of autocorrelation, 1954).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from gradreach.engine import student_t as student

BATCHES = 10
"""Batches of the part that is compared: enough for a t interval, few enough that they hang together but little."""

LEVEL = 0.05
"""The share of two equal runs in which a difference may be claimed."""

SHORTEST = 5
"""Steps that a batch must span for an interval: in shorter ones the noise of one step reaches into the next batch."""

DRIFTS = 20
"""Steps that a batch must span for a drift of the difference to be told from noise."""

FEWEST = 6
"""Looks a run from which on an interval can be given."""

_ROUNDING = 1e-12
"""Scatter, relative to the values, that is left of equal ones when their mean is taken from them."""

_CLOSEST = 0.95
"""The largest ρ reckoned with: beyond it a series says next to nothing on its own mean."""


@dataclass(frozen=True, slots=True)
class Change:
    """How far B lies above A: `value` with its 95 % interval, and the probability `p` of as much were there nothing."""

    value: float
    low: float
    high: float
    p: float
    df: int


def paired(a: Sequence[float], b: Sequence[float], grain: float = 0.0, drift: bool = False) -> Change:
    """The change of the mean from batch means of the same stretches, `grain` the resolution of each.

    Its scatter is that about a line where the difference may `drift`: for stretches of DRIFTS steps or more, as slow
    noise in shorter ones looks like a drift. Raises ValueError where there are not BATCHES means of each.
    """
    if not len(a) == len(b) == BATCHES:
        raise ValueError(f"a, b: expected {BATCHES} batch means of each, got {len(a)} and {len(b)}")
    apart, degree = [y - x for x, y in zip(a, b, strict=True)], int(drift)
    closeness = max(correlation(apart, degree), correlation(a, 2), correlation(b, 2))
    return _change(_mean(apart), _variance(apart, 2 * grain * grain / 12, closeness, degree), BATCHES - 1 - degree)


def unpaired(a: Sequence[float], b: Sequence[float], grain: float = 0.0) -> Change:
    """The change of the mean between looks at different steps: Welch's t (Biometrika, 1947), df rounded down.

    Raises ValueError where there are fewer than FEWEST of either.
    """
    if min(len(a), len(b)) < FEWEST:
        raise ValueError(f"a, b: expected {FEWEST} looks or more of each, got {len(a)} and {len(b)}")
    closeness = max(correlation(side, 0) for side in (a, b))
    parts = [(_variance(side, grain * grain / 12, closeness), len(side) - 1) for side in (a, b)]
    total = math.fsum(variance for variance, _ in parts)
    below = math.fsum(variance * variance / df for variance, df in parts)
    df = math.floor(total * total / below) if below > 0 else sum(df for _, df in parts)
    return _change(_mean(b) - _mean(a), total, max(df, 1))


def correlation(values: Sequence[float], degree: int) -> float:
    """The lag-1 correlation of `values` about a polynomial of this `degree`, from 0 to 0.95.

    Corrected for the bias of a short series, −(1 + degree + 4ρ) / n; a series too short to tell counts as the closest.
    """
    n = len(values)
    rest = _without_trend(values, degree)
    size = math.fsum(value * value for value in rest)
    if size <= n * (_ROUNDING * max(map(abs, values))) ** 2:
        return 0.0
    measured = math.fsum(x * y for x, y in pairwise(rest)) / size
    above = n * measured + 1 + degree
    return min(max(above / (n - 4), 0.0), _CLOSEST) if n > 4 else (_CLOSEST if above > 0 else 0.0)


def holm(ps: Sequence[float]) -> list[float]:
    """Each p after Holm's correction for all of them (Scandinavian Journal of Statistics, 1979)."""
    adjusted = [1.0] * len(ps)
    worst = 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        worst = max(worst, min((len(ps) - rank) * ps[i], 1.0))
        adjusted[i] = worst
    return adjusted


def _change(value: float, variance: float, df: int) -> Change:
    error = math.sqrt(variance)
    half = error * student.quantile(LEVEL, df)
    t = value / error if error > 0 else (math.inf if value else 0.0)
    return Change(value, value - half, value + half, student.two_sided(t, df), df)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float], least: float, closeness: float, degree: int = 0) -> float:
    """The variance of the mean of `values`; none of them can be known better than to the variance `least`."""
    n = len(values)
    seen = math.fsum(rest * rest for rest in _without_trend(values, degree)) / (n - 1 - degree)
    return max(seen, least) / n * (1 + closeness) / (1 - closeness)


def _without_trend(values: Sequence[float], degree: int) -> list[float]:
    """`values` less their least-squares polynomial over the place."""
    rest = list(values)
    for shape in _shapes(len(values), degree):
        weight = math.fsum(x * y for x, y in zip(rest, shape, strict=True))
        rest = [x - weight * y for x, y in zip(rest, shape, strict=True)]
    return rest


@cache
def _shapes(n: int, degree: int) -> tuple[tuple[float, ...], ...]:
    """Orthonormal polynomials of rising degree over n places."""
    shapes: list[tuple[float, ...]] = []
    for power in range(min(degree, n - 1) + 1):
        shape = [((2 * i - n + 1) / n) ** power for i in range(n)]
        for lower in shapes:
            weight = math.fsum(x * y for x, y in zip(shape, lower, strict=True))
            shape = [x - weight * y for x, y in zip(shape, lower, strict=True)]
        size = math.sqrt(math.fsum(x * x for x in shape))
        shapes.append(tuple(x / size for x in shape))
    return tuple(shapes)
