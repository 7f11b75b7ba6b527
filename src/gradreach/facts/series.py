"""Plain arithmetic on recorded series, where a missing or non-finite value is one that counts for nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def finite(value: float | None) -> float | None:
    """`value`, or None where it is missing, NaN or infinite."""
    return value if value is not None and math.isfinite(value) else None


def known(values: Iterable[float | None]) -> list[float]:
    """The finite ones among `values`, in order."""
    return [value for value in values if value is not None and math.isfinite(value)]


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
