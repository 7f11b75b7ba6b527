"""How hard the terms of a loss pull at the weights that they share, over all looks that asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.losses import LossPart
from gradreach.facts.statistics import known, median
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look


@dataclass(frozen=True, slots=True)
class PulledAway:
    """How many times as hard all other terms together pull at the weights as the one that a comparison stands in, where
    they share them: at the `start`, and the median `usual` over the first half of the looks that asked."""

    start: float
    usual: float


def pulled_away(looks: Sequence[Look], part: LossPart) -> PulledAway | None:
    """How hard the other terms pull; None where too few looks asked."""
    asked = [look.loss_terms for look in looks if look.site == part.site and len(look.loss_terms) >= part.last.term]
    own = [each[part.last.term - 1] for each in asked]
    ratios = known(each.others / each.own if each.own > 0 else None for each in own)
    if len(ratios) < MIN_LOOKS:
        return None
    return PulledAway(max(ratios[:MIN_LOOKS]), median(ratios[: max(len(ratios) // 2, MIN_LOOKS)]))
