"""What each next step gets: its loss alone, its norm, or a look; and what watching has cost so far."""

from __future__ import annotations

import time
from typing import Literal

from gradreach.watch.budget import Budget
from gradreach.watch.look_plan import LookPlan
from gradreach.watch.step_watch import StepWatch

FLUSH_SECONDS = 0.5

COMMON_PERIODS = (1, 5, 25)
"""Every how many steps a norm may be taken of which each rank measures a part: each divides the next, so that the
steps of the slowest rank are among those of all."""

Plan = Literal["plain", "leading", "look"]
"""What a step gets: its norm at most; the following of a stream that leads up to a look; a look."""


class Schedule:
    """Charges the budget with each measured step, and plans the next one.

    `due` is the count of the backward pass from which on a step is measured next, all its passes;
    `unmeasured_seconds` is what the passes in between have cost, and is charged with it. `is_behind` says that a
    planned look had to wait for the budget; `is_shared` that each rank measures a part of the norm.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.due = 1
        self._look_plan = LookPlan(budget.every)
        self.unmeasured_seconds = 0.0
        self.is_behind = self.is_shared = False
        self._last_end = self._flushed_at = time.perf_counter()
        self._is_first = True
        self._leads = 0
        self._lead_seconds = 0.0
        self._is_whole = self._is_next = False

    def is_due(self, count: int) -> bool:
        """Whether a backward pass is measured if it begins a step."""
        return count >= self.due

    def measures(self, count: int, *, goes_on: bool) -> bool:
        """Whether a backward pass is measured. One that `goes_on` with a step is where that was from its first pass on,
        so that its norm is that of the whole step; a look, or an update that is waited for, waits for no new step."""
        if not goes_on:
            self._is_whole = count >= self.due
        return self._is_whole or self._is_next

    def charge(self, site: int, passes: int, own: float, kept: float, watch: StepWatch | None) -> float | None:
        """Charge a measured step, the last of `passes`; returns what a look cost.

        `own` seconds went into the measuring, `kept` into what all of them keep for a replay.
        """
        end, kept, cost = time.perf_counter(), kept + self.unmeasured_seconds, None
        if watch is None or watch.is_leading:
            self._lead_seconds += 0.0 if watch is None else watch.seconds
            self.budget.plain(site, passes, end - self._last_end, own, kept)
        else:
            began = self._last_end if watch.began is None else watch.began
            since = began if self._is_first else self._last_end
            own += watch.seconds + self._lead_seconds + kept
            cost = self.budget.look(site, end - since, end - began, own, _at_work(watch, end))
            self._lead_seconds = 0.0
        self._is_first = False
        self.start_next()
        return cost

    def start_next(self) -> None:
        """The time from now on belongs to the next step."""
        self._last_end, self.unmeasured_seconds = time.perf_counter(), 0.0

    def passed(self, site: int, *, looked: bool) -> None:
        """Take in a backward pass, and whether it was looked at."""
        self._look_plan.passed(site, looked=looked)

    def plan(self, count: int, passes: int, lead: int, *, pending: bool) -> Plan:
        """Plan the pass after this one, the last of `passes` of its step so far: a look may have `lead` passes that
        lead up to it. It waits for them, unless each so-manieth pass is looked at: then they are those before it.

        While an update is `pending` the next pass is measured, for an update is one step's only where the passes that
        follow are compared at once.
        """
        if self.budget.every is not None:
            lead = min(lead, self.budget.every - 1)
        if self._leads:
            self._leads -= 1
        elif self._look_is_due(lead):
            self._leads = lead
        else:
            self._is_next = pending
            if pending:
                self.due = count + 1
            elif self._is_whole:
                self.due = self._next_norm(count, passes)
            return "plain"
        self.due, self._is_next = count + 1, True
        return "leading" if self._leads else "look"

    def _next_norm(self, count: int, passes: int) -> int:
        """The count of the backward pass from which on a norm is taken next. Where ranks hold parts of it, all take it
        on the same steps, though each by its own clock: those whose number one of COMMON_PERIODS divides, the next of
        which is a multiple of it."""
        if not self.is_shared:
            return count + 1 + (self.budget.norm_every - 1) * passes
        every = passes * next((each for each in COMMON_PERIODS if each >= self.budget.norm_every), COMMON_PERIODS[-1])
        return (count - 1) // every * every + every + 1

    def _look_is_due(self, lead: int) -> bool:
        due = self._look_plan.is_due(lead)
        waits = due and not self.budget.may_look()
        self.is_behind = self.is_behind or waits
        return due and not waits

    def is_flush_due(self) -> bool:
        """Whether the last flush is so long ago that the next one is due."""
        return self._last_end - self._flushed_at > FLUSH_SECONDS

    def flushed(self) -> None:
        """Note that all was flushed; the next step pays for it."""
        self._flushed_at, self.unmeasured_seconds = self._last_end, time.perf_counter() - self._last_end


def _at_work(watch: StepWatch, end: float) -> float:
    """The share of a watched step in which this process had a core: less than 1 where others keep them busy."""
    if watch.began is None or end <= watch.began:
        return 1.0
    return min((time.process_time() - watch.worked_before) / (end - watch.began), 1.0)
