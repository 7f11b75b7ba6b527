"""Robust statistics of short series, without any dependency, so that the commands that only read start at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
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


def exponential(exponent: float) -> float:
    """e to `exponent`, or to 700 where it is more: beyond 709 there is no float for it."""
    return math.exp(min(exponent, 700.0))


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


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The two of the values between which the median of what they were drawn from lies, 19 times in 20 or more often.

    Of six values the least and the largest; None of fewer. By the signs of the differences from the median, whatever
    the distribution is (Thompson 1936).
    """
    n, left_out = len(values), -1
    while 2 * sum(math.comb(n, i) for i in range(left_out + 2)) <= 0.05 * 2**n:
        left_out += 1
    ordered = sorted(values)
    return (ordered[left_out], ordered[n - 1 - left_out]) if left_out >= 0 else None


def quantile(values: Iterable[float | None], q: float) -> float | None:
    """The q-quantile, 0 ≤ q ≤ 1, of the finite values by linear interpolation; None where there is none."""
    ordered = sorted(known(values))
    if not ordered:
        return None
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def weighted_quantile(values: Sequence[float], weights: Sequence[float], q: float) -> float | None:
    """The q-quantile, 0 ≤ q ≤ 1, of values that stand for so many each, by linear interpolation; None where there is
    none. With equal weights it is `quantile`."""
    if not values:
        return None
    pairs = sorted(zip(values, weights, strict=True))
    places = [0.0]
    for (_, one), (_, two) in pairwise(pairs):
        places.append(places[-1] + (one + two) / 2)
    wanted = q * places[-1]
    at = next((at for at, place in enumerate(places) if place >= wanted), len(places) - 1)
    if at == 0 or places[at] == places[at - 1]:
        return pairs[at][0]
    part = (wanted - places[at - 1]) / (places[at] - places[at - 1])
    return pairs[at - 1][0] + part * (pairs[at][0] - pairs[at - 1][0])


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


def rank_sum(one: Sequence[float], other: Sequence[float]) -> float:
    """By how many standard deviations the ranks of `one` lie over those of `other` (Wilcoxon 1945; Mann, Whitney 1947).

    It is 0 where all values are equal.
    """
    n, m = len(one), len(other)
    ranks = _ranks([*one, *other])
    above = math.fsum(ranks[:n]) - n * (n + m - 1) / 2
    middle = (n + m - 1) / 2
    variance = math.fsum((rank - middle) ** 2 for rank in ranks) * n * m / ((n + m) * (n + m - 1))
    return above / math.sqrt(variance) if variance > 0 else 0.0


def dependence(parts: Sequence[Sequence[float]]) -> float:
    """The correlation of neighbouring values within the parts of a series, with the straight line of each taken out.

    It is 0 where a part has fewer than 10 values. A line takes some 2 / n of the correlation with it, which is added.
    """
    if min(map(len, parts)) < 10:
        return 0.0
    rests = [_off_the_line(part) for part in parts]
    size = math.fsum(each * each for rest in rests for each in rest)
    return math.fsum(a * b for rest in rests for a, b in pairwise(rest)) / size + 2 / len(rests[0]) if size > 0 else 0.0


def _off_the_line(values: Sequence[float]) -> list[float]:
    """What the least-squares line leaves of the values."""
    rise, mean, middle = slope(values), math.fsum(values) / len(values), (len(values) - 1) / 2
    return [value - mean - rise * (at - middle) for at, value in enumerate(values)]


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
    return mostly(holds) and holds[-1]


def mostly(holds: Sequence[bool]) -> bool:
    """Whether at least two thirds hold, and there are any."""
    return bool(holds) and 3 * sum(holds) >= 2 * len(holds)
