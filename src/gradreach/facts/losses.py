"""What the loss at one line is made of, over all looks, and the loss of the best constant guess."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from gradreach.facts.site import Site
from gradreach.facts.statistics import is_positive, known, median
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.seen.loss import LossLook

FEWEST_LABELS = 100
"""Targets from which the shares of the classes are known well enough for their entropy."""


LITTLE = 0.8
"""Part of the loss of a constant guess from which little of the input is in what was learned."""

NO_BETTER = 0.98
"""Part of the loss of a constant guess down to which a loss counts as no better."""


MOSTLY = 0.5
"""Part of the loss that a comparison must make up to speak for it."""


@dataclass(frozen=True, slots=True)
class LossPart:
    """One comparison of the loss at one line of the script, in all looks that saw it, in order of time."""

    site: int
    steps: tuple[int, ...]
    looks: tuple[LossLook, ...]

    @property
    def last(self) -> LossLook:
        """As the last look saw it."""
        return self.looks[-1]

    @property
    def counts(self) -> tuple[int, ...]:
        """How often each class was the target, over all looks; empty where the target is no class."""
        several = [look.counts for look in self.looks if len(look.counts) == len(self.last.counts)]
        return tuple(map(sum, zip(*several, strict=True)))

    @property
    def guess(self) -> float | None:
        """The loss of the best constant guess; None where it cannot be told."""
        each = known(look.guess for look in self.looks)
        if not each or not self.last.counts:
            return math.fsum(each) / len(each) if each else None
        whole = sum(self.counts)
        return -math.fsum(n / whole * math.log(n / whole) for n in self.counts if n) if whole >= FEWEST_LABELS else None

    @property
    def has_batches_alike(self) -> bool:
        """Whether one constant serves all batches: not where their targets lie further apart from batch to batch than
        within one, as where each is of one episode or one stretch of a series. True where that is not known."""
        told = [look.targets for look in self.looks if look.targets is not None]
        if len(told) < MIN_LOOKS:
            return True
        middle = sum(each.mean for each in told) / len(told)
        apart = (each.mean - middle for each in told)
        return sum(far * far for far in apart) <= sum(each.deviation * each.deviation for each in told)

    def usual(self, key: str) -> float | None:
        """The median over the looks of one of its figures."""
        values = known(getattr(look, key) for look in self.looks)
        return median(values) if values else None


def loss_parts(looks: Sequence[Look], joined: Collection[int] = ()) -> tuple[LossPart, ...]:
    """Every comparison of these looks; those of one kind behind one module are one, by their order. At a line that is
    `joined` with others in a step none is the whole loss."""
    found: dict[tuple[int, str, str, str, int], list[tuple[int, LossLook]]] = {}
    for look in looks:
        met: dict[tuple[int, str, str, str], int] = {}
        for seen in look.losses:
            key = (look.site, seen.kind, seen.module, seen.last)
            met[key] = met.get(key, -1) + 1
            part = replace(seen, is_whole=False) if look.site in joined else seen
            found.setdefault((*key, met[key]), []).append((look.step, part))
    return tuple(
        LossPart(key[0], tuple(step for step, _ in each), tuple(seen for _, seen in each))
        for key, each in found.items()
    )


def only_target(look: LossLook) -> float | None:
    """The one target of a comparison in a look: a number, or a class; None of several or unknown ones."""
    occur = [number for number, times in enumerate(look.counts) if times]
    if look.counts:
        return float(occur[0]) if len(occur) == 1 and len(look.counts) > 1 else None
    return look.targets.low if look.targets is not None and look.targets.low == look.targets.high else None


def own_over_guess(part: LossPart) -> float | None:
    """What a comparison itself came to at last, by its mean, over what the best constant guess gets; None where one of
    them is not known."""
    if not part.has_batches_alike:
        return None
    looks, guess = part.looks[-max(len(part.looks) // 4, MIN_LOOKS) :], part.guess
    each = guess if part.last.counts else None
    of = [(look.value, each or look.guess) for look in looks]
    ratios = known(value / least for value, least in of if value is not None and is_positive(least))
    return median(ratios) if is_positive(guess) and len(ratios) >= MIN_LOOKS else None


def over_guess(site: Site, part: LossPart) -> float | None:
    """What a comparison came to at last over what the best constant guess gets; None where the loss does not rest, is
    mostly something else, or the guess is not known.

    Errors of a regression scatter from batch to batch with their targets, so each is held against the guess on its own
    batch.
    """
    went = site.learning
    resting = site.rest is not None or went.until is not None or went.course in ("hardly falls", "does not fall")
    return _over(site, part, part.looks[len(part.looks) // 2 :]) if resting else None


def part_of_guess(site: Site, part: LossPart) -> float | None:
    """The same of a loss that may fall still: what it came to by the last looks, and by the end of the run."""
    over, loss = _over(site, part, part.looks[-MIN_LOOKS:]), site.of_batch(site.learning.last)
    if over is None or loss is None or not part.last.is_whole:
        return over
    return min(over, loss / (part.guess or math.inf))


def _over(site: Site, part: LossPart, looks: Sequence[LossLook]) -> float | None:
    guess, loss = part.guess, site.of_batch(site.learning.last)
    if site.need_not_fall or site.learning.course == "unknown" or len(part.looks) < MIN_LOOKS or not is_positive(guess):
        return None
    if not part.has_batches_alike:
        return None
    values = known(look.value for look in looks)
    if not values or (not part.last.is_whole and median(values) < MOSTLY * abs(loss or 0.0)):
        is_steady = part.last.counts or part.last.kind.startswith("binary")
        return loss / guess if part.last.is_whole and loss is not None and is_steady else None
    if part.last.counts:
        return median(values) / guess
    ratios = known((look.value or 0.0) / look.guess for look in looks if is_positive(look.guess))
    return median(ratios) if len(ratios) >= MIN_LOOKS else None
