"""Which places with subnormal numbers are timed: few a run, and none where they cost this CPU nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import median

from gradreach.engine.flush_cost import FlushTurns, in_turns, subnormal_product
from gradreach.engine.subnormals import can_flush, flushes
from gradreach.record.seen.subnormal import Arithmetic, SubnormalPlace

LEAST_SHARE = 1e-3
"""The share of subnormal entries from which on a place is told of."""

TIMED_SHARE = 0.01
"""The share from which on it is timed."""

MOST_TIMED = 2
"""Pieces of work that are timed in a run."""

GROWN = 4.0
"""How many times as large the share at a place must be for it to be timed again."""

SLOWER = 1.2
"""How many times as long a product of nothing but subnormal numbers must take with them for their cost to be asked."""


class FlushTrials:
    """Times the work at places with subnormal numbers, `left` more times in this run, by `turns`.

    Before the first it is asked whether they cost this CPU anything; where they do not, nothing is left to be timed. A
    place is timed again where it has far more of them than before. `carried` holds in how many looks in a row each kind
    of optimizer kept none. `between_steps` are the seconds that were spent after an optimizer's step and are yet to be
    charged.
    """

    def __init__(self, turns: Callable[[Callable[[], object]], FlushTurns] = in_turns) -> None:
        self.left = MOST_TIMED
        self.between_steps = 0.0
        self.carried: dict[str, int] = {}
        self._turns = turns
        self._are_free: bool | None = None
        self._shares: dict[tuple[str, str], float] = {}

    def arithmetic(self) -> Arithmetic:
        """What this thread does with subnormal numbers, as far as it is known."""
        if flushes():
            return "flushed"
        if not can_flush():
            return "cannot flush"
        return "kept at no cost" if self._are_free else "kept"

    def may_time(self, place: SubnormalPlace) -> bool:
        """Whether the work at this place is to be timed."""
        before = self._shares.get((place.name, place.kind), 0.0)
        has_more = place.share >= max(TIMED_SHARE, GROWN * before)
        return self.left > 0 and has_more and self.arithmetic() == "kept" and not self._found_free()

    def timed(
        self, place: SubnormalPlace, work: Callable[[], object], times: float = 1.0, *, whole: bool = False
    ) -> SubnormalPlace:
        """The place with what its work took; a step does `times` as much of it, and it may be the `whole` of it."""
        self.left -= 1
        self._shares[place.name, place.kind] = place.share
        took = self._turns(work)
        return replace(place, kept=took.kept, flushed=took.flushed, times=times, whole=whole)

    def _found_free(self) -> bool:
        if self._are_free is None:
            took = self._turns(subnormal_product)
            self._are_free = median(took.kept) < SLOWER * median(took.flushed)
            self.left = 0 if self._are_free else self.left
        return self._are_free
