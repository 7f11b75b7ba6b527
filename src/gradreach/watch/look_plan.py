"""Which backward passes are looked at: the same ones for the same script and arguments on any machine."""

from __future__ import annotations

from collections import Counter, deque

FIRST = (0, 2, 10, 30)
"""The first passes of a line that are looked at, counted from 0: what a training does at its start decides much."""

GROWTH = 4
"""After those each look comes a quarter later than the one before, so that every run has one in its last fifth."""

EVENLY = 1000
EVENLY_PARTS = 100
"""Looks are at most so many passes apart, or a hundredth of the passes so far where that is more: a long run is looked
at evenly, and its record stays bounded."""

_MEMORY = 64
"""Passes whose lines are remembered; lines that take turns are known by a period of up to half as many."""


def next_look(last: int) -> int:
    """The pass to look at after the one numbered `last`, both counted from 0."""
    for first in FIRST:
        if first > last:
            return first
    return last + min(last // GROWTH, max(EVENLY, last // EVENLY_PARTS))


class LookPlan:
    """Says before each backward pass whether it is to be looked at.

    Each line that calls backward has a plan of its own, for lines that take turns may otherwise miss every look: the
    line that comes next is the one that came a period ago. Where no period is known, as at the start, all passes
    together are planned as those of one line. With `every` each so-manieth pass is looked at instead. For `_quiet`
    passes to come none can be due.
    """

    def __init__(self, every: int | None = None) -> None:
        self._every = every
        self._lines: deque[int] = deque(maxlen=_MEMORY)
        self._passes: Counter[int | None] = Counter()
        self._due: Counter[int | None] = Counter()
        self._quiet = 0

    def is_due(self, lead: int = 0) -> bool:
        """Whether the pass that comes next is to be looked at; with `every`, whether the one `lead` passes later is."""
        if self._every is not None:
            return (self._passes[None] + lead) % self._every == 0
        if self._quiet > 0:
            return False
        if self._passes:
            self._quiet = min(self._due[line] - passes for line, passes in self._passes.items())
        overdue = {line for line, passes in self._passes.items() if passes >= self._due[line]}
        return not self._passes or (bool(overdue) and self._expected() in overdue)

    def passed(self, line: int, *, looked: bool) -> None:
        """Take in a pass from a line, and whether it was looked at."""
        if looked or line not in self._passes:
            self._quiet = 0
        if looked:
            self._due[line], self._due[None] = next_look(self._passes[line]), next_look(self._passes[None])
        self._passes[line] += 1
        self._passes[None] += 1
        self._quiet -= 1
        self._lines.append(line)

    def _expected(self) -> int | None:
        """The line that comes next, by the shortest period that all the latest passes show; None without one."""
        if len(self._passes) == 2 and len(self._lines) > 1:
            return self._lines[-1]
        lines = list(self._lines)
        for period in range(1, len(lines) // 2 + 1):
            if lines[period:] == lines[:-period]:
                return lines[-period]
        return None
