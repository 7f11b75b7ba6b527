"""One line of the script that calls backward: its steps, its losses and how they went, its norms and their limit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import Literal

from gradreach.facts.accumulation import passes_a_step
from gradreach.facts.clipping import Clipping, clipping, norm_quantile, unscaled
from gradreach.facts.idle_clip import IdleClip, heeded, idle_clip
from gradreach.facts.learning import MEDIAN_ERROR, SMALL_FALL, Learning, learning
from gradreach.facts.statistics import is_finite, known, median, spread
from gradreach.record.schema import Record, Step

Freedom = Literal["", "in turns", "trained apart", "weighed", "targets grow"]

PASSES = 200
"""Backward passes below which a loss is not said to have stopped falling: it may not have begun to."""


FALLS_ON = 0.7
"""Part of the mean fall of the five fifths of a run that the last must still have where the loss knows no bound."""

FAR_BELOW = 10.0
"""How many times its first size, or 1 if that is more, a loss must have fallen below 0 there."""

FEWEST_UNBOUNDED = 40
"""Losses that are needed to say so."""

GROWN = 3.0
"""How many times as large the targets and the outputs must be in the last third of the looks as in the first."""

FEWEST_GROWING = 6
"""Looks that are needed to say so."""

FAR = 0.5
"""Part of its first value by which a loss has fallen far: what a run that has not got so far might yet have done."""

NEGLIGIBLE = 0.002
"""Part of itself by which a loss may fall over a quarter of a run and still count as one that rests."""


@dataclass(frozen=True)
class Rest:
    """A loss that no longer falls: its median `before`, in the quarter before the run's middle, and in its `last`."""

    before: float
    last: float


@dataclass(frozen=True)
class Site:
    """One line of the script that calls backward, by its `number` in the record and its `name`, `file:line`.

    `steps` are its backward passes that were recorded, `every` one that there was or a part, and `end` is the step at
    which the run broke, if it did. `free` says why its losses need not fall, if so: another line calls backward
    between this one's first and last call ("in turns"), as adversaries do; it is called for models that are "trained
    apart"; its rows are "weighed" by factors of the script's own of both signs, such as advantages; or its "targets
    grow" and the outputs with them, as targets do that are made of a model's own outputs.
    `idle_clip` is its clipping where that limits nothing; the steps are without it.
    `times` is how many batches' losses a step's is the sum of. A line that `joins` another in one step, where that
    comes first, has the steps of that one.
    """

    number: int
    name: str
    steps: tuple[Step, ...]
    end: int | None
    free: Freedom = ""
    every: bool = True
    idle_clip: IdleClip | None = None
    times: int = 1
    joins: bool = False

    def of_batch(self, loss: float | None) -> float | None:
        """The mean over its batches of a step's loss, which is the sum."""
        return None if loss is None else loss / self.times

    @property
    def need_not_fall(self) -> bool:
        """Whether a loss that does not fall says nothing of the training."""
        return bool(self.free)

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
    def norm_median(self) -> float | None:
        """The median of the norms, each for the steps that it stands for."""
        return norm_quantile(self.steps, 0.5)

    @cached_property
    def clipping(self) -> Clipping:
        """How the norm was limited at this line."""
        return clipping(self.steps, self.every)

    @cached_property
    def learning(self) -> Learning:
        """How the loss went, before anything broke."""
        read = [(step.step, step.loss) for step in self.sound_steps if is_finite(step.loss)]
        return learning([step for step, _ in read], [loss for _, loss in read])

    @cached_property
    def stalled(self) -> bool:
        """Whether the loss certainly did not fall: even with its noise on its side the fall stays under SMALL_FALL.

        It is False where this cannot be told, as for fewer than 20 losses and where it need not fall.
        """
        losses = self.losses
        if len(losses) < 20 or self.need_not_fall or self.learning.course in ("falls", "rests", "rises again"):
            return False
        fifth = max(len(losses) // 5, 4)
        first, last = losses[:fifth], losses[-fifth:]
        fall = median(first) - median(last)
        return fall + 2 * _noise(first, last) < SMALL_FALL * abs(median(first))

    @cached_property
    def falls_without_bound(self) -> bool:
        """Whether the loss is far below 0 and falls at the end about as fast as before: a likelihood that is learned
        slows down. It is False where the loss need not fall."""
        losses = self.losses
        if len(losses) < FEWEST_UNBOUNDED or self.need_not_fall:
            return False
        size, start = len(losses) // 5, max(abs(median(losses[:5])), 1.0)
        fifths = [median(losses[at * size : (at + 1) * size]) for at in range(5)]
        falls = [a - b for a, b in pairwise(fifths)]
        steady = min(falls) > 0 and falls[-1] >= FALLS_ON * (fifths[0] - fifths[-1]) / len(falls)
        return steady and fifths[-1] < -FAR_BELOW * start

    @cached_property
    def creeps(self) -> bool:
        """Whether the loss still falls at the end of the run, and more than half of its first value is left.

        It is False where this cannot be told, and where the loss need not fall.
        """
        share = self.learning.share
        if self.need_not_fall or not self.may_rest or self.learning.course != "falls" or share is None:
            return False
        return self.rest is None and share < FAR

    @property
    def may_rest(self) -> bool:
        """Whether there are losses enough to tell a loss that rests from one that falls."""
        return len(self.losses) >= 20 and self.steps[-1].step - self.steps[0].step + 1 >= PASSES

    @property
    def gains_nothing(self) -> bool:
        """Whether the loss does not fall, hardly, or no longer; False where it need not."""
        course = "unknown" if self.need_not_fall else self.learning.course
        return self.stalled or course not in ("falls", "unknown")

    @cached_property
    def rest(self) -> Rest | None:
        """The loss where it no longer falls by more than its noise.

        It is None where the loss still falls, and where this cannot be told: for fewer than PASSES backward passes or
        20 losses, and where it need not fall.
        """
        losses = self.losses
        if self.need_not_fall or not self.may_rest:
            return None
        quarter, middle = len(losses) // 4, len(losses) // 2
        before, last = losses[middle - quarter : middle], losses[-quarter:]
        least = max(2 * _noise(before, last), NEGLIGIBLE * abs(median(before)))
        falls = median(before) - median(last) > least
        return None if falls else Rest(median(before), median(last))

    @cached_property
    def worse_than_at_first(self) -> bool:
        """Whether the loss ends above its first value by more than its noise; False where it need not fall."""
        losses = self.losses
        if len(losses) < 10 or self.need_not_fall:
            return False
        first, end = losses[0], losses[-max(len(losses) // 5, 3) :]
        return median(end) > first + SMALL_FALL * abs(first) + 2 * spread(end)


def sites_of(record: Record, end: int | None) -> dict[int, Site]:
    """Every line that called backward, by its number, in the order of their first measured call; then those whose
    calls were never measured."""
    every = len(record.steps) == record.length
    by_number: dict[int, list[Step]] = {}
    for step in record.steps:
        by_number.setdefault(step.site, []).append(step)
    for number in range(len(record.sites)):
        by_number.setdefault(number, [])
    joins = {number for number in record.joined if not by_number.get(number)}
    by_number |= {number: by_number.get(record.joined[number], []) for number in joins}
    return {
        number: Site(
            number,
            _name(record, number),
            tuple(unscaled(heeded(steps))),
            end,
            _freedom(record, number, steps),
            every,
            idle_clip(steps),
            _batches(record, number, steps),
            number in joins,
        )
        for number, steps in by_number.items()
    }


def _name(record: Record, number: int) -> str:
    return record.sites[number] if 0 <= number < len(record.sites) else ""


def _batches(record: Record, number: int, steps: Sequence[Step]) -> int:
    """The passes of a step whose losses are not divided by their number: each is the mean over its own batch."""
    own = any(each.is_whole for look in record.looks if look.site == number for each in look.losses)
    return passes_a_step(record, number, steps) if own else 1


def _freedom(record: Record, number: int, steps: Sequence[Step]) -> Freedom:
    if _takes_turns(record, steps):
        return "in turns"
    if _trains_several(record, number):
        return "trained apart"
    if _weighs_rows(record, number):
        return "weighed"
    return "targets grow" if _chases_targets(record, number) else ""


def _takes_turns(record: Record, steps: Sequence[Step]) -> bool:
    if not steps or len(steps) == len(record.steps):
        return False
    first, last, site = steps[0].step, steps[-1].step, steps[0].site
    return any(step.site != site and first < step.step < last for step in record.steps)


def _trains_several(record: Record, number: int) -> bool:
    """Whether one line serves several trainings: optimizers that have no parameter in common step after its passes."""
    told = [look.stepped for look in record.looks if look.site == number and look.stepped is not None]
    held = [each for each, times in Counter(frozenset(each.held) for each in told).items() if each and times > 1]
    return any(one.isdisjoint(other) for one, other in combinations(held, 2))


def _weighs_rows(record: Record, number: int) -> bool:
    """Whether most looks saw rows of the loss multiplied by factors of the script's own, one to each."""
    looks = [look for look in record.looks if look.site == number and look.losses]
    weighed = sum(any(each.is_weighed for each in look.losses) for look in looks)
    return 2 * weighed > len(looks)


def _chases_targets(record: Record, number: int) -> bool:
    """Whether the targets of an error grow over the run, and the outputs with them."""
    looks = (look for look in record.looks if look.site == number)
    errors = [each for look in looks for each in look.losses if each.kind in ("squared error", "absolute error")]
    sizes = [(each.targets.rms, each.outputs.rms) for each in errors if each.targets and each.outputs]
    third = len(sizes) // 3
    if len(sizes) < FEWEST_GROWING:
        return False
    return all(median(side[-third:]) >= GROWN * median(side[:third]) > 0 for side in zip(*sizes, strict=True))


def _noise(first: Sequence[float], last: Sequence[float]) -> float:
    """The standard error of the difference between the medians of two stretches of equal length."""
    return MEDIAN_ERROR * math.hypot(spread(first), spread(last)) / math.sqrt(len(first))
