"""Gradient spikes: single norms, or losses whose norm was not measured, far out of the ordinary at one line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gradreach.facts.blow_up import BlowUp
from gradreach.facts.site import Site
from gradreach.facts.statistics import is_finite, is_positive, known, median, spread
from gradreach.facts.thresholds import Threshold, Thresholds
from gradreach.record.norm_history import SPIKE_TIMES, WINDOW, NormHistory
from gradreach.record.schema import Step

SPIKE = Threshold(
    "spike", SPIKE_TIMES, 1.0, math.inf, "norm over the median before it, of a spike after which the loss stayed up"
)
GIANT_SPIKE = Threshold(
    "giant_spike", 100.0, 1.0, math.inf, "norm over the median before it, of a spike without lasting harm"
)

DEVIATIONS = 6.0
"""Robust deviations of the logarithm by which a spike stands over the last WINDOW norms of its line."""

NARROWEST = 0.1
"""Least deviation of log norm that is assumed: a full batch's norm hardly varies, and 10 % more is no spike."""

AFTER = 5
"""Steps after a spike over which the loss must stay up to count as harmed."""


@dataclass(frozen=True, slots=True)
class Spike:
    """A norm, or a loss whose norm was not measured, that stood at `step` far out of the `usual` one at its line,
    `site`, and that nothing clipped.

    It `harmed` the training where the loss rose and stayed up. The batch's own loss `stands_out` where it lay as far
    out as the norm, or was not measured. An `early` one is among the first WINDOW norms, and its usual is around it.
    """

    step: int
    site: int
    of: Literal["norm", "loss"]
    size: float
    usual: float
    harmed: bool
    stands_out: bool
    early: bool = False

    @property
    def times(self) -> float:
        """The norm or loss over the usual one."""
        return self.size / self.usual


def spikes_of(sites: Sequence[Site], blow_up: BlowUp | None, thresholds: Thresholds) -> tuple[Spike, ...]:
    """The spikes that matter: with harm to the loss, or of giant size with a loss as far out of line.

    A line whose norm blew up has none: what stands out there is one explosion.
    """
    found: list[Spike] = []
    for site in sites:
        if blow_up is None or blow_up.site != site.number:
            found += _at(site, thresholds)
    return tuple(found)


def enough_steps(sites: Sequence[Site]) -> bool:
    """Whether any line has more norms or losses than the window that a spike is judged by."""
    return any(
        max(len(known(s.unclipped for s in site.sound_steps)), len(known(s.loss for s in site.sound_steps))) > WINDOW
        for site in sites
    )


def _at(site: Site, thresholds: Thresholds) -> list[Spike]:
    """The spikes of one line that matter, each step once."""
    norms = _out_of_line(site, "norm", thresholds[SPIKE])
    losses = _out_of_line(site, "loss", thresholds[SPIKE])
    giant = thresholds[GIANT_SPIKE]
    found = [s for s in norms if s.harmed or s.times >= (giant if s.stands_out else giant * giant)]
    judged = {step.step for step in [s for s in site.sound_steps if is_finite(s.unclipped)][WINDOW:]}
    rest = [spike for spike in losses if spike.step not in judged]
    found += [spike for spike in rest if spike.harmed or spike.times >= giant]
    found += _early(site, giant)
    return sorted(found, key=lambda spike: spike.step)


def _early(site: Site, giant: float) -> list[Spike]:
    """The largest of the first norms, where it was giant beside those around it, and the loss grew with it.

    Norms that are large at first and fall with the loss are in order.
    """
    steps = [step for step in site.sound_steps if is_positive(step.unclipped)]
    first, around = steps[:WINDOW], known(step.unclipped for step in steps[: 3 * WINDOW])
    losses = known(step.loss for step in first)
    if len(steps) <= WINDOW or not losses or max(losses) < SPIKE_TIMES * abs(losses[0]):
        return []
    peak, usual = max(first, key=lambda step: step.unclipped or 0.0), median(around)
    size = peak.unclipped or 0.0
    if size < giant * usual or _was_clipped(peak, SPIKE_TIMES * usual):
        return []
    return [Spike(peak.step, site.number, "norm", size, usual, harmed=False, stands_out=True, early=True)]


def _out_of_line(site: Site, of: Literal["norm", "loss"], times: float) -> list[Spike]:
    """The norms or losses that stand out of those before and were so many times their median."""
    steps = site.sound_steps
    history, found = NormHistory(), []
    for place, step in enumerate(steps):
        size = step.unclipped if of == "norm" else step.loss
        if not is_positive(size):
            continue
        if history.is_spike(size, times) and _deviates(size, history.last):
            usual = history.usual
            harmed = _harmed(steps, place)
            if harmed or _comes_back(steps[place + 1 :], of, times * usual):
                if not _was_clipped(step, times * usual if of == "norm" else math.inf):
                    stands_out = of == "loss" or _stands_out(steps, place)
                    found.append(Spike(step.step, site.number, of, size, usual, harmed, stands_out))
                continue
        history = history.after(size)
    return found


def _deviates(size: float, before: Sequence[float]) -> bool:
    logs = [math.log(each) for each in before]
    return math.log(size) - median(logs) >= DEVIATIONS * max(spread(logs), NARROWEST)


def _was_clipped(step: Step, limit: float) -> bool:
    """Whether the step was held to an ordinary length, or to half of its own and no giant one."""
    bound = max(limit, min((step.unclipped or 0.0) / 2, SPIKE_TIMES * limit))
    return step.clip == "value" or (step.threshold is not None and step.threshold <= bound)


def _comes_back(after: Sequence[Step], of: Literal["norm", "loss"], limit: float) -> bool:
    """Whether it was ordinary again soon: a lasting rise is a change of phase, and counts only with harm."""
    sizes = known(step.unclipped if of == "norm" else step.loss for step in after)[:AFTER]
    return not sizes or min(sizes) < limit


def _stands_out(steps: Sequence[Step], place: int) -> bool:
    """Whether the step's own loss lies as far out as its norm; where no loss was measured the norm alone decides."""
    loss = steps[place].loss
    before = known(step.loss for step in steps[max(place - WINDOW, 0) : place])
    if not is_finite(loss) or len(before) < AFTER:
        return True
    width = max(spread(before), NARROWEST * abs(median(before)))
    return loss - median(before) >= DEVIATIONS * width


def _harmed(steps: Sequence[Step], place: int) -> bool:
    before = known(step.loss for step in steps[max(place - WINDOW, 0) : place])
    after = known(step.loss for step in steps[place + 1 : place + 1 + AFTER])
    if len(before) < AFTER or len(after) < AFTER:
        return False
    rise = median(after) - median(before)
    return rise > 3 * spread(before) and rise > 0.5 * abs(median(before))
