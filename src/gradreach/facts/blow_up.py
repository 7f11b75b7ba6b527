"""A norm that blew up: it grew far over its ordinary size while the loss diverged or the run broke."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gradreach.facts.breaks import Growth
from gradreach.facts.ordinary_norm import at_first, before_growth
from gradreach.facts.site import Site
from gradreach.facts.statistics import is_finite, is_positive, known, median
from gradreach.facts.thresholds import Threshold, Thresholds

BLOW_UP = Threshold("blow_up", 100.0, 1.0, math.inf, "norm over the ordinary one before, from which it has blown up")
DIVERGED = Threshold(
    "diverged", 10.0, 1.0, math.inf, "last loss over the first, from which a norm that blew up did harm"
)


@dataclass(frozen=True, slots=True)
class BlowUp:
    """The norm at one line grew from `before` to `peak` at `step`, and the loss went with it or became non-finite.

    `from_start` says that it grew from the first steps on: then no norm was an ordinary one, and `before` is the one
    that the run began with.
    """

    site: int
    step: int
    before: float
    peak: float
    loss_before: float | None
    loss_after: float | None
    ends_nonfinite: bool
    from_start: bool


@dataclass(frozen=True, slots=True)
class UnclippedGrowth:
    """The norm before a break, `last`, and the `usual` one before it grew; None where it grew from the first steps."""

    usual: float | None
    last: float


def growth_before(site: Site, broken: int, blow_up: BlowUp | None) -> UnclippedGrowth | None:
    """How the norm at a line had grown until step `broken`; None where it had not, or something clips it."""
    steps = [step for step in site.steps if step.step < broken]
    growth = Growth.of([step.unclipped for step in steps])
    if growth is None or not growth.grown or any(step.clip for step in steps):
        return None
    if blow_up is not None and blow_up.site == site.number:
        return UnclippedGrowth(None if blow_up.from_start else blow_up.before, growth.last)
    measured = [(step.step, norm) for step in steps if is_finite(norm := step.unclipped)]
    return UnclippedGrowth(before_growth(measured), growth.last)


def blow_up(sites: Iterable[Site], broke_by_growth: bool, thresholds: Thresholds) -> BlowUp | None:
    """The first line whose norm blew up; `broke_by_growth` says whether the run broke, and not by its data."""
    found = (_at(site, broke_by_growth, thresholds) for site in sites)
    return next((each for each in found if each is not None), None)


def _at(site: Site, broke_by_growth: bool, thresholds: Thresholds) -> BlowUp | None:
    end = site.end
    steps = [step for step in site.steps if end is None or step.step <= end]
    measured = [(step.step, norm) for step in steps if is_positive(norm := step.unclipped)]
    if len(measured) < 2:
        return None
    norms = [norm for _, norm in measured]
    before = _ordinary(norms)
    at, peak = max(measured, key=lambda pair: pair[1])
    broke = broke_by_growth and any(step.step == end for step in steps)
    start, last = _ends(known(step.loss for step in steps))
    diverged = start is not None and last is not None and last - start > (thresholds[DIVERGED] - 1) * abs(start) > 0
    late = 2 * at >= measured[0][0] + measured[-1][0]
    if peak < thresholds[BLOW_UP] * before or not late or not (broke or diverged):
        return None
    usual = before_growth(measured)
    told = min(before, at_first(norms) if usual is None else usual)
    return BlowUp(site.number, at, told, peak, start, last, broke, from_start=usual is None)


def _ordinary(norms: Sequence[float]) -> float:
    """The norm's size before the end: the median of the first half, of a few steps the first alone."""
    return median(norms[: max(len(norms) // 2, 1)]) if len(norms) >= 6 else norms[0]


def _ends(losses: Sequence[float]) -> tuple[float | None, float | None]:
    if len(losses) < 2:
        return None, None
    few = min(3, len(losses) // 2)
    return median(losses[:few]), median(losses[-few:])
