"""Whether the loss at one line of the script fell over the run: by how much, beyond its noise, and until when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from gradreach.facts.statistics import dependence, median, quantile, rank_sum, spread

Course = Literal["falls", "rests", "hardly falls", "does not fall", "rises again", "rises", "unknown"]
"""How a loss went. "falls": by more than its noise and by SMALL_FALL or more; "rests": it did, but was soon done with
it and has much of it left above 0; "rises again": it did, and lost a good part of that; "hardly falls": by more than
its noise, but by less than SMALL_FALL. "unknown": too few steps, too much noise, or a changing sign."""

SMALL_FALL = 0.05
"""Part of its first value by which a loss must fall to count as learning."""

FEWEST = 20
"""Losses below which nothing is said of how they went: a quarter of fewer cannot be told from chance."""

ENOUGH = 300
"""Losses from which a fall that does not show beyond the noise is none worth the name."""

SURE = 2.5
"""Standard deviations of a normal distribution that chance alone passes, to one side, 6 times in a thousand."""

FAR_OUT = 4.0
"""Deviations of the last losses by which the very first ones lie above them where the fall was over at once."""

LEFT = 0.1
"""Part of the first loss under which one that rests has been learned."""

STILL = 0.1
"""Part of the whole fall that the second half of a run surely did not add where the loss rests."""

SOON = 0.1
"""Part of the run within which a loss that then rests may have found no more than a constant guess."""

SLIGHT = 0.1
"""Part of the first loss under which a fall must go on: a constant guess that forms slowly falls so far."""

AGAIN = 0.25
"""Part of its fall that a loss must have lost again to count as one that rises."""

BLOCKS = 10
"""Stretches of a run among which the lowest is looked for."""

MOST = 2000
"""Stretches whose medians stand for the losses of a longer run."""

MEDIAN_ERROR = 1.2533
"""Standard error of a median over that of a mean, for a normal distribution: √(π/2)."""


@dataclass(frozen=True, slots=True)
class Learning:
    """How the loss at one line went: its `course`, and the medians that it is told by.

    `first` is the loss at the start, `last` its median in the last quarter, None where no loss was read. `until` is the
    step by which one had fallen that rests since, or at which one that rises again was lowest, at `lowest`. `losses`
    counts what all rests on; `why_not` says why a course is unknown.
    """

    course: Course
    first: float | None = None
    last: float | None = None
    until: int | None = None
    lowest: float | None = None
    losses: int = 0
    why_not: str = ""

    @property
    def share(self) -> float | None:
        """The part of its first value by which the loss fell; None where a loss of 0 is not the best there is."""
        if self.first is None or self.last is None or self.first <= 0 or self.last < 0:
            return None
        return 1 - self.last / self.first


@dataclass(frozen=True, slots=True)
class _Quarters:
    """The losses of the four quarters of a run, and the factor by which their dependence widens their noise."""

    parts: tuple[Sequence[float], ...]
    wider: float

    def fall(self, one: int, other: int) -> float:
        """By how much the median fell from one quarter to another."""
        return median(self.parts[one]) - median(self.parts[other])

    def most(self, one: int, other: int) -> float:
        """By how much it fell at most, with its noise on its side."""
        first, last = self.parts[one], self.parts[other]
        noise = math.hypot(spread(first) / math.sqrt(len(first)), spread(last) / math.sqrt(len(last)))
        return self.fall(one, other) + SURE * MEDIAN_ERROR * self.wider * noise

    def sure(self, one: int, other: int) -> float:
        """By how many deviations the rank sums of two quarters differ: above 0 where the first is the higher one."""
        return rank_sum(self.parts[one], self.parts[other]) / self.wider


def learning(steps: Sequence[int], losses: Sequence[float]) -> Learning:
    """How these losses went, which were read at these `steps` and are finite.

    The last quarter is held against the first by their rank sums, so that no outlier decides, with the noise widened by
    what neighbouring losses share. A fall that was over at once is looked for in the very first losses.
    """
    if not losses:
        return Learning("unknown", why_not="no loss could be read")
    count = len(losses)
    few = losses[: max(3, count // 40)]
    if count < FEWEST:
        why = f"{count} losses are too few to tell whether they fall, {FEWEST} are needed"
        return Learning("unknown", median(few), median(losses[-3:]), losses=count, why_not=why)
    steps, losses = _condensed(steps, losses)
    quarters = _quarters(losses)
    first, last = (median(quarters.parts[at]) for at in (0, 3))
    told = Learning("unknown", first, last, losses=count)
    if _changes_sign(quarters):
        return replace(told, why_not="the loss changes its sign from step to step, and such a one need not fall")
    if last == 0.0 and losses[0] > 0:
        return replace(told, course="falls", first=losses[0])
    start = replace(told, first=max(median(few), first))
    if again := _risen_again(start, quarters, steps, losses):
        return again
    if quarters.sure(0, 3) >= SURE or _fell_at_once(few, quarters.parts[3]):
        return _fallen(start, quarters, steps, losses)
    if quarters.sure(0, 3) <= -SURE and -quarters.fall(0, 3) >= _worth(first, quarters):
        return replace(told, course="rises")
    if quarters.most(0, 3) <= SMALL_FALL * abs(first) or count >= ENOUGH:
        return replace(told, course="does not fall")
    return replace(told, why_not=f"{count} losses scatter too widely to tell whether they fall")


def _risen_again(told: Learning, quarters: _Quarters, steps: Sequence[int], losses: Sequence[float]) -> Learning | None:
    """The course of a loss that surely was lower at some time than it is at the end; None of any other."""
    first, last, beyond = told.first or 0.0, told.last or 0.0, (SURE + 1) * quarters.wider
    at, lowest = min(_blocks(steps, losses), key=lambda block: median(block[1]))
    low = median(lowest)
    if rank_sum(quarters.parts[0], lowest) < beyond or rank_sum(quarters.parts[3], lowest) < beyond:
        return None
    if first - low < _worth(first, quarters) or last - low < AGAIN * (first - low):
        return None
    return replace(told, course="rises again", until=at, lowest=low)


def _fallen(told: Learning, quarters: _Quarters, steps: Sequence[int], losses: Sequence[float]) -> Learning:
    """The course of a loss that is lower at the end than at first."""
    first, last = told.first or 0.0, told.last or 0.0
    if first - last < _worth(first, quarters):
        return replace(told, course="hardly falls")
    if last < 0:
        return replace(told, course="falls")
    left = last / first if first > 0 else 1.0
    surely = quarters.sure(1, 3) >= SURE
    goes_on = surely and quarters.fall(1, 3) >= _worth(median(quarters.parts[1]), quarters)
    over = not goes_on and quarters.most(1, 3) < STILL * (first - last)
    slight = left > 1 - SLIGHT and not surely and quarters.fall(1, 3) < STILL * (first - last)
    if not (over or slight) or (left <= LEFT and quarters.sure(0, 3) >= SURE):
        return replace(told, course="falls")
    until = _until(steps, losses, last + STILL * (first - last))
    soon = slight or until - steps[0] <= SOON * (steps[-1] - steps[0])
    return replace(told, course="rests" if soon else "falls", until=until)


def _worth(first: float, quarters: _Quarters) -> float:
    """The change that counts: a part of the loss; of one that goes below 0 its own scatter, for it has no zero."""
    below = min(median(part) for part in quarters.parts) < 0
    return spread(quarters.parts[3]) if below or first <= 0 else SMALL_FALL * first


def _changes_sign(quarters: _Quarters) -> bool:
    """Whether the losses of both ends lie on both sides of 0."""
    below = [sum(loss < 0 for loss in quarters.parts[at]) / len(quarters.parts[at]) for at in (0, 3)]
    return all(0.1 < share < 0.9 for share in below)


def _fell_at_once(few: Sequence[float], last: Sequence[float]) -> bool:
    high = quantile(last, 0.9)
    return high is not None and min(few) > high and median(few) - median(last) >= FAR_OUT * spread(last)


def _until(steps: Sequence[int], losses: Sequence[float], level: float) -> int:
    """The first step at which the median of five losses has come down to a level."""
    return next((step for at, step in enumerate(steps) if median(losses[max(at - 2, 0) : at + 3]) <= level), steps[-1])


def _condensed(steps: Sequence[int], losses: Sequence[float]) -> tuple[Sequence[int], Sequence[float]]:
    """The medians of MOST stretches in place of more losses, each at the step that its stretch ends with."""
    if len(losses) <= MOST:
        return steps, losses
    edges = [len(losses) * at // MOST for at in range(MOST + 1)]
    return [steps[end - 1] for end in edges[1:]], [median(losses[begin:end]) for begin, end in pairwise(edges)]


def _blocks(steps: Sequence[int], losses: Sequence[float]) -> list[tuple[int, Sequence[float]]]:
    """The losses between the first quarter and the last in stretches, of BLOCKS over the run, each with the step in its
    middle."""
    count = min(BLOCKS, len(losses) // 5)
    edges = [len(losses) * at // count for at in range(count // 4 + 1, count - count // 4 + 1)]
    return [(steps[(begin + end) // 2], losses[begin:end]) for begin, end in pairwise(edges)]


def _quarters(losses: Sequence[float]) -> _Quarters:
    edges = [len(losses) * at // 4 for at in range(5)]
    parts = tuple(losses[begin:end] for begin, end in pairwise(edges))
    shared = min(max(dependence(parts), 0.0), 0.5)
    return _Quarters(parts, math.sqrt((1 + shared) / (1 - shared)))
