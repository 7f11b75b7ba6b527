"""What leads to a loss by penalties alone, over all looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.record.look import Look
from gradreach.record.seen.loss import PenaltyAlone

FEWEST_LOOKS = 6
"""Looks from which a part is told that only a penalty trains: in fewer it may be left out by chance."""


@dataclass(frozen=True, slots=True)
class PenaltySeen:
    """What only penalties train at one line, as the last look has it, of so many `looks`."""

    site: int
    looks: int
    last: PenaltyAlone


def penalties(looks: Sequence[Look]) -> tuple[PenaltySeen, ...]:
    """The same modules in all looks at a line that give them a gradient, which nothing else does anywhere, and which
    something moves."""
    found: list[PenaltySeen] = []
    for site in dict.fromkeys(look.site for look in looks):
        seen = [look.penalty_alone for look in looks if look.site == site and look.penalty_alone is not None]
        if len(seen) < FEWEST_LOOKS or any(each.modules != seen[-1].modules for each in seen):
            continue
        if not _is_trained_otherwise(seen[-1], looks) and _are_moved(seen[-1], looks):
            found.append(PenaltySeen(site, len(seen), seen[-1]))
    return tuple(found)


def _is_trained_otherwise(alone: PenaltyAlone, looks: Sequence[Look]) -> bool:
    """Whether any look saw a gradient come to one of these parts, or to a part before them, from anything else."""
    owners = {name.rpartition(".")[0] for name in alone.parameters}
    return any(
        each.module in owners and each.weight_grad_norm
        for look in looks
        if look.penalty_alone is None or look.penalty_alone.modules != alone.modules
        for each in look.depth
    )


def _are_moved(alone: PenaltyAlone, looks: Sequence[Look]) -> bool:
    """Whether an optimizer moves each of these modules: what none does is there to judge others."""
    moved = {each.module for look in looks for each in look.depth if each.update_ratio}
    return moved.issuperset(alone.modules)
