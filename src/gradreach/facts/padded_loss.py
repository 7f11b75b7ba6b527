"""Losses most of whose rows stand at padding: what they come to there, and on the rows that hold data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.losses import FEWEST_LABELS, LossPart
from gradreach.facts.statistics import is_positive, known, median
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.seen.loss import PaddedRows

MOST = 0.5
"""Share of the rows from which the mean over all of them is for the most part one over padding."""


@dataclass(frozen=True, slots=True)
class PaddedLoss:
    """One comparison most of whose rows are padding, with the looks that saw them.

    `share` of the rows are padding; the last looks found a loss of `loss` on them and of `others` on the other rows, of
    which a constant gets `guess`, None where that is not known.
    """

    part: LossPart
    looks: tuple[PaddedRows, ...]
    share: float
    loss: float
    others: float
    guess: float | None

    @property
    def mean(self) -> float:
        """What both come to together, which is what the script sees."""
        return self.share * self.loss + (1 - self.share) * self.others

    @property
    def left(self) -> float | None:
        """The loss on the other rows over that of the constant."""
        return self.others / self.guess if is_positive(self.guess) else None

    @property
    def hidden(self) -> float:
        """How many times the mean the loss on the other rows is."""
        return self.others / self.mean if self.mean > 0 else 1.0

    @property
    def elsewhere(self) -> bool:
        """Whether other rows have the target of the padding too."""
        return any(each.elsewhere for each in self.looks)


def padded_losses(parts: Sequence[LossPart]) -> tuple[PaddedLoss, ...]:
    """Each comparison most of whose rows most looks found at padding; not those that are exact there, for what the
    model puts out there is made so."""
    told = []
    for part in parts:
        looks = tuple(look.padded for look in part.looks if look.padded is not None)
        enough = len(looks) >= MIN_LOOKS and 2 * len(looks) > len(part.looks)
        if enough and median([each.share for each in looks]) >= MOST and any(each.loss > 0 for each in looks):
            told.append(_at_last(part, looks))
    return tuple(each for each in told if math.isfinite(each.mean))


def _at_last(part: LossPart, looks: tuple[PaddedRows, ...]) -> PaddedLoss:
    share, last = median([each.share for each in looks]), looks[-MIN_LOOKS:]
    loss, others = median([each.loss for each in last]), median([each.others for each in last])
    return PaddedLoss(part, looks, share, loss, others, _guess(looks))


def _guess(looks: Sequence[PaddedRows]) -> float | None:
    """What the best constant gets on the other rows: of classes the entropy of their shares over all looks."""
    each = known(look.guess for look in looks[-MIN_LOOKS:])
    if each:
        return median(each)
    counts = [sum(of_class) for of_class in zip(*(look.counts for look in looks if look.counts), strict=True)]
    whole = sum(counts)
    return -math.fsum(n / whole * math.log(n / whole) for n in counts if n) if whole >= FEWEST_LABELS else None
