"""Which lags are asked about together: a geometric ladder of bands, and the cells of one band."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

RATIO = 1.5
"""Each band of the ladder ends this much farther back than it begins."""

MOST_PARTS = 8
"""The most parts that a band is cut into; shorter bands are cut into single lags."""


@dataclass(frozen=True, slots=True)
class Band:
    """The lags from `lag` to `until`, both included."""

    lag: int
    until: int

    def cells(self) -> list[Band]:
        """What is looked at within the band: all of it together, and its parts.

        A dependency at one lag shows in a part; one that may lie anywhere in the band shows in the whole.
        """
        width = self.until - self.lag + 1
        parts = min(width, MOST_PARTS)
        edges = [self.lag + width * i // parts for i in range(parts + 1)]
        cells = [Band(near, far - 1) for near, far in pairwise(edges)]
        return cells if parts == 1 else [self, *cells]


def ladder(longest: int) -> list[Band]:
    """Bands of growing width that cover every lag from 1 to `longest`."""
    bands = []
    lag = 1
    while lag <= longest:
        until = min(max(lag, int(lag * RATIO)), longest)
        bands.append(Band(lag, until))
        lag = until + 1
    return bands
