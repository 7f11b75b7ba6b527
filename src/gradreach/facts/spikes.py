"""Gradient spikes: single norms far out of the ordinary, of one line that calls backward."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.blow_up import BlowUp
from gradreach.facts.site import Site
from gradreach.facts.statistics import is_finite, known, median, spread
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
    """A norm at `step` that stood far out of the `usual` one at its line, `site`, and that nothing clipped.

    It `harmed` the training where the loss rose and stayed up. The batch's own loss `stands_out` where it lay as far
    out as the norm, or was not measured.
    """

    step: int
    site: int
    norm: float
    usual: float
    harmed: bool
    stands_out: bool

    @property
    def times(self) -> float:
        """The norm over the usual one."""
        return self.norm / self.usual


def spikes_of(sites: Sequence[Site], blow_up: BlowUp | None, thresholds: Thresholds) -> tuple[Spike, ...]:
    """The spikes that matter: with harm to the loss, or of giant size with a loss as far out of line.

    A line whose norm blew up has none: what stands out there is one explosion.
    """
    found = (
        spike
        for site in sites
        if blow_up is None or blow_up.site != site.number
        for spike in _out_of_line(site, thresholds[SPIKE])
    )
    giant = thresholds[GIANT_SPIKE]
    return tuple(spike for spike in found if spike.harmed or (spike.stands_out and spike.times >= giant))


def enough_norms(sites: Sequence[Site]) -> bool:
    """Whether any line has more norms than the window that a spike is judged by."""
    return any(sum(is_finite(step.unclipped) for step in site.sound_steps) > WINDOW for site in sites)


def _out_of_line(site: Site, times: float) -> list[Spike]:
    """The norms that stand out of those before and were so many times their median."""
    steps = [step for step in site.sound_steps if is_finite(step.unclipped)]
    history, found = NormHistory(), []
    for place, step in enumerate(steps):
        norm = step.unclipped
        if norm is None or norm <= 0:
            continue
        if history.is_spike(norm, times) and _deviates(norm, history.last):
            usual = history.usual
            harmed = _harmed(steps, place)
            if harmed or _comes_back(steps[place + 1 :], times * usual):
                if not _was_clipped(step, times * usual):
                    found.append(Spike(step.step, site.number, norm, usual, harmed, _stands_out(steps, place)))
                continue
        history = history.after(norm)
    return found


def _deviates(norm: float, before: Sequence[float]) -> bool:
    logs = [math.log(each) for each in before]
    return math.log(norm) - median(logs) >= DEVIATIONS * max(spread(logs), NARROWEST)


def _was_clipped(step: Step, limit: float) -> bool:
    return step.clip == "value" or (step.threshold is not None and step.threshold <= limit)


def _comes_back(after: Sequence[Step], limit: float) -> bool:
    """Whether the norm was ordinary again soon: a lasting rise is a change of phase, and counts only with harm."""
    norms = known(step.unclipped for step in after[:AFTER])
    return not norms or min(norms) < limit


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
