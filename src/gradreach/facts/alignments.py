"""The CTC losses at one line, over all looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.statistics import median
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.seen.loss import Alignment

FEWEST_PER_CLASS = 20
"""Targets for each class from which one that never comes counts as none of theirs."""

MOSTLY = 0.95
"""Part of the blanks among the targets that must stand in one way for that to be why they are there."""

OFF = 0.05
"""How far from 0 the logarithm of the sum of exponentials lies at which these are no probabilities."""

PRODUCTS = ("matrix product", "convolution")
"""Operations that give logits."""


@dataclass(frozen=True, slots=True)
class AlignmentSeen:
    """One CTC loss at a line, by its order there, with as many classes and one blank in all the looks that saw it."""

    site: int
    blank: int
    looks: tuple[Alignment, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """How often each class was a target, over all looks."""
        return tuple(map(sum, zip(*(look.counts for look in self.looks), strict=True)))

    @property
    def blanks(self) -> int:
        """How many targets were the blank."""
        return sum(look.blanks for look in self.looks)

    @property
    def holds_blanks(self) -> bool:
        """Whether the blank stood among the targets time and again."""
        return sum(look.blanks > 0 for look in self.looks) >= MIN_LOOKS

    @property
    def free(self) -> tuple[int, ...]:
        """The classes that no target ever was; nothing where too few targets were seen to say so."""
        counts = self.counts
        return (
            tuple(n for n, of in enumerate(counts) if not of) if sum(counts) >= FEWEST_PER_CLASS * len(counts) else ()
        )

    @property
    def stand_between(self) -> bool:
        """Whether the blanks were put between any two other targets."""
        return sum(look.between for look in self.looks) >= MOSTLY * self.blanks

    @property
    def are_padding(self) -> bool:
        """Whether the blanks fill up the ends of rows."""
        return sum(look.at_end for look in self.looks) >= MOSTLY * self.blanks

    @property
    def not_log_probabilities(self) -> tuple[Alignment, ...]:
        """The looks at which the loss was given something else than log-probabilities, if they are many enough."""
        other = (look for look in self.looks if look.are_shares or look.last in PRODUCTS)
        off = tuple(look for look in other if look.off >= OFF)
        return off if len(off) >= MIN_LOOKS else ()

    @property
    def off(self) -> float:
        """How far from 0 the logarithm of the sum of exponentials lies, at the median of these looks."""
        return median([look.off for look in self.not_log_probabilities])


def alignments(looks: Sequence[Look]) -> tuple[AlignmentSeen, ...]:
    """Every CTC loss, by its line and its order there."""
    found: dict[tuple[int, int, int, int], list[Alignment]] = {}
    for look in looks:
        for order, seen in enumerate(look.alignments):
            found.setdefault((look.site, order, seen.blank, len(seen.counts)), []).append(seen)
    return tuple(AlignmentSeen(site, blank, tuple(each)) for (site, _, blank, _), each in found.items())
