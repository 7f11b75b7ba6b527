"""Between which steps of a sequence states are kept, so that the passes over it stay under a limit of memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, pairwise


@dataclass(frozen=True, slots=True)
class Plan:
    """How many steps lie between the states kept at each level; `spans`, descending, each a multiple of the next.

    Segments of the last span get a graph. On the way back every other span is run again without one, to find the
    states within it (Griewank and Walther 2000): one more forward pass for every level.
    """

    spans: tuple[int, ...]

    @property
    def length(self) -> int:
        return self.spans[-1]

    def states(self, T: int) -> int:
        """How many states are kept at once."""
        return sum(math.ceil(longer / shorter) for longer, shorter in pairwise((T, *self.spans)))


def even(T: int, longest: int | None) -> Plan:
    """One level of segments of about √T steps (Chen et al. 2016), or of the `longest` that may be."""
    length = math.isqrt(T - 1) + 1
    return Plan((length if longest is None else min(length, longest),))


def plans(T: int, longest: int | None) -> Iterator[list[Plan]]:
    """For one level, two, …: the plans that split every span into the same number, the longest segments first."""
    for levels in count(1):
        fans = range(2, T + 1) if levels == 1 else range(2, math.ceil(T ** (1 / levels)) + 1)
        lengths = {math.ceil(T / fan**levels): fan for fan in reversed(fans)}
        same = [Plan(_spans(length, fan, levels)) for length, fan in sorted(lengths.items(), reverse=True)]
        yield [plan for plan in same if longest is None or plan.length <= longest]
        if 2**levels >= T:
            return


def _spans(length: int, fan: int, levels: int) -> tuple[int, ...]:
    return tuple(length * fan**level for level in reversed(range(levels)))
