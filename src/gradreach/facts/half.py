"""What half precision takes from the training at one line: updates that are rounded away, gradients that underflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradreach.facts.statistics import median
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.seen.half import RoundedStep

FULL_RATE = 0.1
"""Part of the largest learning rate from which on a step is judged: a schedule means the others to be small."""

SMALLEST_CHANGE: Mapping[str, float] = {"bfloat16": 2.0**-9, "float16": 2.0**-12}
"""The relative change of a weight under which it is rounded away, whatever the weight is."""


@dataclass(frozen=True, slots=True)
class Rounded:
    """What rounding takes from the steps of an `optimizer` over weights of a `dtype`, by medians over `looks`.

    `lost` is the share of the weights that stay as they were, and `weighed` the same by |gradient × step|; `asked` is
    ‖Δw‖ / ‖w‖ of the steps without rounding, at a largest rate of `rate`. `part` is the share of the stepped weights
    that are of that dtype.
    """

    optimizer: str
    dtype: str
    lost: float
    weighed: float
    asked: float
    rate: float
    part: float
    looks: int


@dataclass(frozen=True, slots=True)
class Underflowed:
    """What of the gradients float16 rounds to 0 or to a few digits, by medians over the last half of `looks`.

    `lost` is the share of their numbers that are 0 and would not be with a loss `times` as large; `wrong` the share of
    the weights whose gradient is off by half of its norm or more, in `modules` at the last look. `scale` is the loss
    scale in force, and `is_pure` says that weights are float16 themselves.
    """

    lost: float
    wrong: float
    times: float
    modules: tuple[str, ...]
    scale: float
    is_pure: bool
    looks: int


def rounded(looks: Sequence[Look]) -> Rounded | None:
    """What rounding takes at one line, on average over the steps at a full learning rate; None where too few tell."""
    steps = [
        max(look.stepped.rounded, key=_size) for look in looks if look.stepped is not None and look.stepped.rounded
    ]
    highest = max((each.rate for each in steps), default=0.0)
    full = [each for each in steps if each.rate >= FULL_RATE * highest]
    if len(full) < MIN_LOOKS:
        return None
    last = full[-1]
    return Rounded(
        optimizer=last.optimizer,
        dtype=last.dtype,
        lost=median([each.lost for each in full]),
        weighed=median([each.weighed for each in full]),
        asked=median([each.asked for each in full]),
        rate=highest,
        part=last.elements / max(last.of, 1),
        looks=len(full),
    )


def underflowed(looks: Sequence[Look], scales: Mapping[int, float]) -> Underflowed | None:
    """What underflows at one line whose steps have these loss `scales`; None where too few looks tell."""
    told = [(look.step, look.underflow) for look in looks if look.underflow is not None]
    if len(told) < MIN_LOOKS:
        return None
    half = [each for _, each in told[len(told) // 2 :]]
    step, last = told[-1]
    return Underflowed(
        lost=median([each.lost / max(each.present, 1) for each in half]),
        wrong=median([each.wrong / max(each.of, 1) for each in half]),
        times=last.times,
        modules=last.modules,
        scale=scales.get(step, 1.0),
        is_pure=last.is_pure,
        looks=len(told),
    )


def _size(step: RoundedStep) -> int:
    return step.elements
