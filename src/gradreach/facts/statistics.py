"""Robust statistics of short series, without any dependency, so that the commands that only read start at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeGuard

NORMAL = 1.4826
"""Median absolute deviation × this = standard deviation, for a normal distribution."""


def is_finite(value: float | None) -> TypeGuard[float]:
    """Whether there is a figure, neither NaN nor infinite."""
    return value is not None and math.isfinite(value)


def is_positive(value: float | None) -> TypeGuard[float]:
    """Whether there is a finite figure above 0."""
    return value is not None and 0 < value < math.inf


def finite(value: float | None) -> float | None:
    """`value`, or None where it is missing, NaN or infinite."""
    return value if value is not None and math.isfinite(value) else None


def known(values: Iterable[float | None]) -> list[float]:
    """The finite figures among `values`."""
    return [value for value in values if value is not None and math.isfinite(value)]


def positive(values: Iterable[float | None]) -> list[float]:
    """The finite figures above 0 among `values`."""
    return [value for value in values if value is not None and 0 < value < math.inf]


def median(values: Sequence[float]) -> float:
    """The middle value; raises ValueError where there is none."""
    if not values:
        raise ValueError("values: expected at least one figure, got none; ask first whether any was measured")
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else ordered[half - 1] / 2 + ordered[half] / 2


def quantile(values: Iterable[float | None], q: float) -> float | None:
    """The q-quantile, 0 ≤ q ≤ 1, of the finite values by linear interpolation; None where there is none."""
    ordered = sorted(known(values))
    if not ordered:
        return None
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def extremes(values: Sequence[float | None], buckets: int) -> list[int]:
    """Indices, in order, of the lowest and the highest finite value of each of `buckets` equal stretches.

    Every index is returned where there are at most 2 × `buckets` of them; a spike is never lost.
    """
    count = len(values)
    if count <= 2 * buckets:
        return list(range(count))
    kept: set[int] = set()
    for bucket in range(buckets):
        stretch = range(bucket * count // buckets, (bucket + 1) * count // buckets)
        there = [(value, i) for i in stretch if (value := values[i]) is not None and math.isfinite(value)]
        if there:
            kept.update((min(there)[1], max(there)[1]))
    return sorted(kept)


def spread(values: Sequence[float]) -> float:
    """Standard deviation by the median absolute deviation, untouched by outliers."""
    centre = median(values)
    return NORMAL * median([abs(value - centre) for value in values])


def slope(values: Sequence[float]) -> float:
    """Least-squares slope of `values` against their place 0, 1, 2 …"""
    n = len(values)
    mean_x, mean_y = (n - 1) / 2, math.fsum(values) / n
    above = math.fsum((x - mean_x) * (y - mean_y) for x, y in enumerate(values))
    return above / math.fsum((x - mean_x) ** 2 for x in range(n))


def rank_correlation(values: Sequence[float]) -> float:
    """Spearman's correlation of `values` with their place: 1 where they only rise, −1 where they only fall."""
    n = len(values)
    ranks, places = _ranks(values), range(n)
    middle = (n - 1) / 2
    above = math.fsum((rank - middle) * (place - middle) for rank, place in zip(ranks, places, strict=True))
    size = math.fsum((rank - middle) ** 2 for rank in ranks) * math.fsum((place - middle) ** 2 for place in places)
    return above / math.sqrt(size) if size > 0 else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    """The rank of each value from 0; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    ranks = [0.0] * len(values)
    for _, tied in groupby(enumerate(order), key=lambda pair: values[pair[1]]):
        pairs = list(tied)
        mean = (pairs[0][0] + pairs[-1][0]) / 2
        for _, i in pairs:
            ranks[i] = mean
    return ranks


def most(holds: Sequence[bool]) -> bool:
    """Whether at least two thirds hold, and the last one too."""
    return bool(holds) and holds[-1] and 3 * sum(holds) >= 2 * len(holds)
