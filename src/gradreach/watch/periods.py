"""Pieces that come again and again in a sequence of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Repeat:
    """From `start` on the same `period` labels come again and again, `length` in all; the last time perhaps in part."""

    start: int
    period: int
    length: int

    @property
    def times(self) -> int:
        """How often they come whole."""
        return self.length // self.period

    def places(self, at: int) -> range:
        """Where the label `at` of the period stands each time."""
        return range(self.start + at, self.start + self.length, self.period)


def repeats(labels: Sequence[int], fewest: int, longest: int) -> list[Repeat]:
    """Of each period up to `longest` the stretch with the most repetitions, where there are `fewest`; by their length.

    Twice a period is a period too: it is left out unless its stretch is clearly longer.
    """
    row = np.asarray(labels)
    found: list[Repeat] = []
    for period in range(1, min(longest, len(row) // fewest) + 1):
        start, same = _longest_run(row[:-period] == row[period:])
        repeat = Repeat(start, period, same + period)
        known = max((each.length for each in found if period % each.period == 0), default=0)
        if same and repeat.times >= fewest and repeat.length > 1.25 * known:
            found.append(repeat)
    return sorted(found, key=lambda repeat: (-repeat.length, repeat.period))


def _longest_run(same: np.ndarray) -> tuple[int, int]:
    """Where the longest run of True begins, and its length."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], same.astype(np.int8), [0]))))
    if not len(edges):
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    longest = int(lengths.argmax())
    return int(edges[2 * longest]), int(lengths[longest])
