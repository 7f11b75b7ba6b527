"""Masks of attention that shut nothing out, over the looks at each line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.statistics import median
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.seen.data import AddedMask, IdleMask

CLOSE = 0.5
"""Part of an open place's weight from which a masked one counts as not shut out, and part of the rows in which one gets
more than some open place does."""


@dataclass(frozen=True, slots=True)
class IdleMasksSeen:
    """The masks without effect at one line, those of the future or all others, in the looks that saw them."""

    site: int
    is_future: bool
    looks: tuple[tuple[IdleMask, ...], ...]

    @property
    def worst(self) -> IdleMask:
        """At the last look, the mask at whose places most weight lies."""
        return max(self.looks[-1], key=lambda mask: mask.share)

    def usual(self, key: str) -> float:
        """The median over the looks of a figure of the worst mask of each."""
        return median([getattr(max(masks, key=lambda mask: mask.share), key) for masks in self.looks])


def idle_masks(looks: Sequence[Look]) -> tuple[IdleMasksSeen, ...]:
    """Of each line what most of its looks saw, three at least; those of the future first."""
    found = []
    for is_future in (True, False):
        for site in dict.fromkeys(look.site for look in looks):
            each = [_idle(look, is_future=is_future) for look in looks if look.site == site]
            seen = tuple(masks for masks in each if masks)
            if len(seen) >= MIN_LOOKS and 2 * len(seen) > len(each):
                found.append(IdleMasksSeen(site, is_future, seen))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class AddedMasksSeen:
    """The added masks without effect at one line, those of the future or all others, in the looks that saw them."""

    site: int
    is_future: bool
    looks: tuple[tuple[AddedMask, ...], ...]


def added_masks(looks: Sequence[Look]) -> tuple[AddedMasksSeen, ...]:
    """The same of masks that are added."""
    found = []
    for is_future in (True, False):
        for site in dict.fromkeys(look.site for look in looks):
            each = [look.added_masks for look in looks if look.site == site]
            seen = tuple(kept for masks in each if (kept := tuple(m for m in masks if m.is_future == is_future)))
            if len(seen) >= MIN_LOOKS and 2 * len(seen) > len(each):
                found.append(AddedMasksSeen(site, is_future, seen))
    return tuple(found)


def _idle(look: Look, *, is_future: bool) -> tuple[IdleMask, ...]:
    return tuple(
        mask for mask in look.idle_masks if mask.is_future == is_future and max(mask.ratio, mask.above) >= CLOSE
    )
