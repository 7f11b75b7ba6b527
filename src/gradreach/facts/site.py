"""One line of the script that calls backward: its steps, its losses and how they went, its norms and their limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gradreach.facts.statistics import is_finite, known, median, spread
from gradreach.record.schema import Record, Step

SMALL_FALL = 0.05
"""Part of its first value by which a loss must fall to count as learning; chance alone passes it seldom."""

PASSES = 200
"""Backward passes below which a loss is not said to have stopped falling: it may not have begun to."""

MEDIAN_ERROR = 1.2533
"""Standard error of a median over that of a mean, for a normal distribution: √(π/2)."""


@dataclass(frozen=True, slots=True)
class Clipping:
    """How a norm was limited: the `threshold` in force last, and the share of the steps whose norm lay above theirs.

    Both are None where nothing clips by norm.
    """

    threshold: float | None
    rate: float | None


@dataclass(frozen=True)
class Rest:
    """A loss that no longer falls: its median `before`, in the quarter before the run's middle, and in its `last`."""

    before: float
    last: float


@dataclass(frozen=True)
class Site:
    """One line of the script that calls backward, by its `number` in the record and its `name`, `file:line`.

    `steps` are its backward passes that were measured, and `end` is the step at which the run broke, if it did.
    `takes_turns` says whether another line calls backward between this one's first and last call, as adversaries do:
    their losses need not fall.
    """

    number: int
    name: str
    steps: tuple[Step, ...]
    end: int | None
    takes_turns: bool

    @cached_property
    def sound_steps(self) -> tuple[Step, ...]:
        """The steps before anything broke."""
        return self.steps if self.end is None else tuple(step for step in self.steps if step.step < self.end)

    @cached_property
    def losses(self) -> tuple[float, ...]:
        """The finite losses before anything broke."""
        return tuple(known(step.loss for step in self.sound_steps))

    @cached_property
    def norms(self) -> tuple[float, ...]:
        """The finite norms before clipping."""
        return tuple(known(step.unclipped for step in self.steps))

    @cached_property
    def clipping(self) -> Clipping:
        """How the norm was limited at this line."""
        return clipping(self.steps)

    @cached_property
    def stalled(self) -> bool:
        """Whether the loss certainly did not fall: even with its noise on its side the fall stays under SMALL_FALL.

        It is False where this cannot be told, as for fewer than 20 losses and for lines that take turns.
        """
        losses = self.losses
        if len(losses) < 20 or self.takes_turns:
            return False
        fifth = max(len(losses) // 5, 4)
        first, last = losses[:fifth], losses[-fifth:]
        fall = median(first) - median(last)
        return fall + 2 * _noise(first, last) < SMALL_FALL * abs(median(first))

    @cached_property
    def rest(self) -> Rest | None:
        """The loss where it no longer falls by more than its noise.

        It is None where the loss still falls, and where this cannot be told: for fewer than PASSES backward passes or
        20 losses, and for lines that take turns.
        """
        losses = self.losses
        quarter = len(losses) // 4
        if quarter < 5 or self.steps[-1].step - self.steps[0].step + 1 < PASSES or self.takes_turns:
            return None
        middle = len(losses) // 2
        before, last = losses[middle - quarter : middle], losses[-quarter:]
        falls = median(before) - median(last) > 2 * _noise(before, last)
        return None if falls else Rest(median(before), median(last))

    @cached_property
    def worse_than_at_first(self) -> bool:
        """Whether the loss ends above its first value by more than its noise; False for lines that take turns."""
        losses = self.losses
        if len(losses) < 10 or self.takes_turns:
            return False
        first, end = losses[0], losses[-max(len(losses) // 5, 3) :]
        return median(end) > first + SMALL_FALL * abs(first) + 2 * spread(end)


def sites_of(record: Record, end: int | None) -> dict[int, Site]:
    """Every line that called backward, by its number, in the order of their first measured call; then those whose
    calls were never measured."""
    by_number: dict[int, list[Step]] = {}
    for step in record.steps:
        by_number.setdefault(step.site, []).append(step)
    for number in range(len(record.sites)):
        by_number.setdefault(number, [])
    return {
        number: Site(number, _name(record, number), tuple(steps), end, _takes_turns(record, steps))
        for number, steps in by_number.items()
    }


def clipping(steps: Sequence[Step]) -> Clipping:
    """How the norm of these steps was limited; a limit on each value is none on the norm.

    What the script's own clipping call saw decides: it may have clipped before there was a gradient.
    """
    limited = [(step, step.threshold) for step in steps if step.threshold is not None and step.clip != "value"]
    above = [norm > threshold for step, threshold in limited if is_finite(norm := clipped_norm(step))]
    return Clipping(limited[-1][1] if limited else None, sum(above) / len(above) if above else None)


def clipped_norm(step: Step) -> float | None:
    """The norm that the script's own clipping call saw, else the one that was measured."""
    return step.pre_clip if step.pre_clip is not None else step.norm


def _name(record: Record, number: int) -> str:
    return record.sites[number] if 0 <= number < len(record.sites) else ""


def _takes_turns(record: Record, steps: Sequence[Step]) -> bool:
    if not steps or len(steps) == len(record.steps):
        return False
    first, last, site = steps[0].step, steps[-1].step, steps[0].site
    return any(step.site != site and first < step.step < last for step in record.steps)


def _noise(first: Sequence[float], last: Sequence[float]) -> float:
    """The standard error of the difference between the medians of two stretches of equal length."""
    return MEDIAN_ERROR * math.hypot(spread(first), spread(last)) / math.sqrt(len(first))
