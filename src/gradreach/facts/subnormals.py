"""What subnormal numbers cost a step of the script, where a look had it measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gradreach.facts.statistics import median, median_interval
from gradreach.record.look import Look
from gradreach.record.schema import Step
from gradreach.record.seen.subnormal import SubnormalPlace

MOST_STEPS = 31
"""Ordinary steps nearest to a look whose median time is that of a step there."""

FEWEST_STEPS = 3
"""Ordinary steps without which the time of a step is not known."""


@dataclass(frozen=True, slots=True)
class FlushGain:
    """How many times as fast a step could be without the subnormal numbers at one `place`, at a look's `step` and line.

    An ordinary step there took `seconds`. `factor` is the median over the turns in which the work was timed; the true
    one lies between `low` and `high` 19 times in 20.
    """

    step: int
    site: int
    place: SubnormalPlace
    seconds: float
    low: float
    factor: float
    high: float


def places_of(look: Look) -> tuple[SubnormalPlace, ...]:
    """All places with subnormal numbers at a look: what the gradient meets, and what optimizers keep."""
    seen = () if look.subnormals is None else look.subnormals.places
    return (*seen, *(() if look.stepped is None else look.stepped.subnormals))


def flush_gains(looks: Sequence[Look], steps: Sequence[Step]) -> Iterator[FlushGain]:
    """Of each place that was timed often enough, by the steps around its look."""
    for look in looks:
        timed = [place for place in places_of(look) if place.kept]
        seconds = seconds_of_step(look, steps) if timed else None
        for place in timed if seconds else ():
            factors = [_factor(seconds or 0.0, place, *turn) for turn in zip(place.kept, place.flushed, strict=False)]
            between = median_interval(factors)
            if between is not None and seconds:
                yield FlushGain(look.step, look.site, place, seconds, between[0], median(factors), between[1])


def seconds_of_step(look: Look, steps: Iterable[Step]) -> float | None:
    """The median time of the ordinary steps nearest to a look, at its line; None where there are too few of them.

    A step is ordinary where neither it nor the one before was looked at.
    """
    took = [
        (abs(step.step - look.step), (step.seconds - before.seconds) / (step.step - before.step))
        for before, step in pairwise(steps)
        if step.site == look.site and not before.watched and not step.watched and step.step > before.step
    ]
    nearest = [seconds for _, seconds in sorted(took)[:MOST_STEPS] if seconds > 0.0]
    return median(nearest) if len(nearest) >= FEWEST_STEPS else None


def _factor(seconds: float, place: SubnormalPlace, kept: float, flushed: float) -> float:
    """By one turn: seconds / (seconds − kept + flushed), with all the work of that kind that a step does. No step takes
    less than the flushed work itself."""
    left = max(seconds - (kept - flushed) * place.times, flushed)
    return seconds / left if left > 0.0 else 1.0
