"""Targets of two kinds of which one comes up no more from some step on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from gradreach.facts.losses import LossPart
from gradreach.facts.statistics import median
from gradreach.record.seen.loss import Spread

FEWEST_BEFORE = 3
"""Looks that saw both kinds, until one went."""

FEWEST_SINCE = 5
"""Looks that saw one kind alone, since then."""

SINCE = 0.8
"""Part of the looks since then that must have seen one kind alone."""

EXPECTED = 20.0
"""Targets of the kind that went that one look would have seen, had their share stayed: none come by chance 2 times in
a thousand million."""


@dataclass(frozen=True, slots=True)
class LostTargets:
    """A comparison whose targets are `target` alone `since` a step, in so many `alike` of the `looks` since then, where
    before the `share` of them was something else, in the median."""

    part: LossPart
    target: float
    since: int
    alike: int
    looks: int
    share: float


def lost_targets(part: LossPart) -> LostTargets | None:
    """Whether one kind of the targets of a binary cross entropy went away in the course of the run."""
    targets = [look.targets for look in part.looks if look.targets is not None]
    if not part.last.kind.startswith("binary cross entropy") or len(targets) < len(part.looks):
        return None
    at = next((at for at, each in enumerate(targets) if each.low == each.high), 0)
    before, since = targets[:at], targets[at:]
    if len(before) < FEWEST_BEFORE:
        return None
    target = since[0].low
    alike = sum(_other(each, target) == 0.0 and each.low == each.high for each in since)
    share = median([_other(each, target) for each in before])
    if alike < max(FEWEST_SINCE, SINCE * len(since)) or max(_other(each, target) for each in since) > share / 2:
        return None
    if share * min(prod(look.shape) for look in part.looks[at:]) < EXPECTED:
        return None
    return LostTargets(part, target, part.steps[at], alike, len(since), share)


def all_lost_targets(parts: Sequence[LossPart]) -> tuple[LostTargets, ...]:
    """Every such comparison."""
    return tuple(found for part in parts if (found := lost_targets(part)) is not None)


def _other(targets: Spread, target: float) -> float:
    """The share of targets from 0 to 1 that lies away from one end of them."""
    return abs(targets.mean - target)
