"""Weights that the optimizer's decay, and not the gradient of the loss, has taken to nearly nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from gradreach.facts.statistics import is_positive, median
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.seen.loop import Decay

FALLEN = 0.1
"""Part of its first norm at which a weight matrix counts as taken away."""

HELD = 0.5
"""Part of their first norms down to which weights still hold what they began with. There cause is told from effect:
where nothing is learned for another reason, the decay comes to outweigh the gradient as well, but later."""


@dataclass(frozen=True, slots=True)
class Decayed:
    """Of the weight matrices behind one line `gone` out of `of` were taken away between two steps.

    `pull` says how many times as hard as the gradient the decay pulled while the weights still held what they began
    with. `before` and `after` are the first and the last that was seen of the matrix that fell farthest.
    """

    pull: float
    gone: int
    of: int
    first_step: int
    last_step: int
    before: Decay
    after: Decay


def decayed(looks: Sequence[Look]) -> Decayed | None:
    """What the decay made of the weights over the looks at one line.

    None where fewer than half of the matrices are gone, where it was not the decay that took them, and where the
    gradient was 0 from the start, which has a cause of its own.
    """
    told = [(look.step, look.stepped.decays) for look in looks if look.stepped is not None and look.stepped.decays]
    begun = {each.name: each for _, decays in reversed(told) for each in decays if is_positive(each.weights)}
    ended = {each.name: each for _, decays in told for each in decays if each.name in begun}
    if len(told) <= MIN_LOOKS or not ended:
        return None
    worst = min(ended.values(), key=lambda each: _left(each, begun))
    gone = sum(_left(each, begun) <= FALLEN for each in ended.values())
    pull = _pull([decays for _, decays in told], begun)
    if 2 * gone < len(ended) or pull is None or pull < 1.0 or not math.isfinite(worst.weights):
        return None
    return Decayed(pull, gone, len(ended), told[0][0], told[-1][0], begun[worst.name], worst)


def _left(now: Decay, begun: Mapping[str, Decay]) -> float:
    """The part of its first norm that a matrix has; infinite where that is not known."""
    return now.weights / begun[now.name].weights if math.isfinite(now.weights) else math.inf


def _pull(told: Sequence[Sequence[Decay]], begun: Mapping[str, Decay]) -> float | None:
    """How hard the decay pulls beside the gradient, in the median of the looks until the weights have lost HELD.

    A rate of 0, as a warm-up begins with, leaves nothing to compare.
    """

    def hold(decays: Sequence[Decay]) -> bool:
        left = [_left(each, begun) for each in decays if each.name in begun]
        return bool(left) and median(left) >= HELD

    sides = [
        (_norm(each.by_decay for each in decays), _norm(each.by_gradient for each in decays))
        for decays in takewhile(hold, told)
    ]
    moving = [(decay, gradient) for decay, gradient in sides if is_positive(decay)]
    if not moving or not is_positive(moving[0][1]):
        return None
    return median([decay / gradient for decay, gradient in moving if is_positive(gradient)])


def _norm(values: Iterable[float]) -> float:
    return math.hypot(*values)
