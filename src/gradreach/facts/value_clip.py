"""What clipping by value leaves of the gradients at one line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.statistics import is_positive, median
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.schema import Step
from gradreach.record.seen.loop import ValueClip


@dataclass(frozen=True, slots=True)
class ClippedValues:
    """How the last half of the looks at a line are clipped by value, 3 at least.

    `norm`, the norm before, `left`, the one after, and `cut`, the share of the elements other than 0 that are cut, are
    medians, and `threshold` is the last one. `scale` is the loss scale that the calls saw the gradients under, else 1.
    """

    threshold: float
    norm: float
    left: float
    cut: float
    looks: int
    scale: float = 1.0


def clipped_values(looks: Sequence[Look], steps: Sequence[Step]) -> ClippedValues | None:
    """What is known of it from the looks and the steps of one line; None where too few are clipped so."""
    steps_seen = [(look.step, look.stepped) for look in looks if look.stepped is not None and look.stepped.value_clips]
    told = [(number, each) for number, seen in steps_seen if is_positive((each := _joined(seen.value_clips)).norm)]
    half = told[len(told) // 2 :]
    if len(half) < MIN_LOOKS:
        return None
    by_number, joined = {step.step: step for step in steps}, [each for _, each in half]
    return ClippedValues(
        threshold=joined[-1].threshold,
        norm=median([each.norm for each in joined]),
        left=median([each.left for each in joined]),
        cut=median([each.cut / max(each.elements, 1) for each in joined]),
        looks=len(half),
        scale=_scale([(by_number.get(number), each.norm) for number, each in half]),
    )


def _joined(calls: Sequence[ValueClip]) -> ValueClip:
    """The calls of one step, as one for each model, taken together."""
    return ValueClip(
        calls[-1].threshold,
        math.hypot(*(each.norm for each in calls)),
        math.hypot(*(each.left for each in calls)),
        sum(each.cut for each in calls),
        sum(each.elements for each in calls),
    )


def _scale(seen: Sequence[tuple[Step | None, float]]) -> float:
    """The loss scale that the gradients still had when they were clipped, by what the step's own norm is."""
    over = [
        (step.scale, math.log(norm / step.norm) - math.log(step.scale) / 2)
        for step, norm in seen
        if step is not None and step.scale > 2 and is_positive(step.norm) and is_positive(norm)
    ]
    return over[-1][0] if over and median([each for _, each in over]) > 0 else 1.0
