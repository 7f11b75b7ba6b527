"""Rules on the norm from step to step, GR302 to GR304: spikes and the clipping threshold."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradreach.facts.course import (
    active_sites,
    blow_up,
    first_break,
    site_name,
    sound_looks,
    stalled,
    steps_at,
    update_ratio,
)
from gradreach.facts.legacy_thresholds import DEFAULT, Thresholds
from gradreach.facts.statistics import is_finite, known, median, percent, shown, spread
from gradreach.record.schema import Finding, Record, Remedy, Severity, Step
from gradreach.rules import formula
from gradreach.rules.remedy import clip
from gradreach.rules.rule import Evidence, Explain, Judged, Rule, Where

WINDOW = 20
DEVIATIONS = 6.0
RECORD_SIZE = 3.0
"""A spike stands so many robust deviations of the logarithm over the last WINDOW norms of its place, RECORD_SIZE times
over all before, and as many times over their median as the thresholds say: fewer where it harmed the loss, more where
the batch's own loss merely stands out."""

NARROWEST = 0.1
"""Least deviation of log norm assumed: a full batch's norm hardly varies, and 10 % more is no spike."""

AFTER = 5
"""Steps after a spike over which the loss must stay up to count as harmed."""

SLOW = 1e-4
"""‖Δw‖ / ‖w‖ of a step that clipping has made short: a tenth of the usual 1e-3."""

_PASCANU = "Pascanu, Mikolov, Bengio (2013): On the difficulty of training recurrent neural networks"


@dataclass(frozen=True, slots=True)
class _Spike:
    step: Step
    norm: float
    usual: float
    harmed: bool
    loss_stands_out: bool


def spikes(record: Record, thresholds: Thresholds) -> Judged:
    """GR302: single norms far out of the ordinary that nothing clipped, with harm to the loss or of giant size."""
    end = first_break(record)
    series = {
        site: [s for s in steps_at(record, site) if is_finite(s.unclipped) and (end is None or s.step < end)]
        for site in active_sites(record)
    }
    if all(len(steps) <= WINDOW for steps in series.values()):
        return Judged(why_not=f"no more than {WINDOW} norms were measured at any place")
    burst, giant = blow_up(record, thresholds), thresholds.giant_spike
    found = []
    for site, steps in series.items():
        out = _spikes_at(steps, thresholds.spike)
        bad = [s for s in out if s.harmed or (s.loss_stands_out and s.norm >= giant * s.usual)]
        if bad and (burst is None or burst.site != site):
            found.append(_spiked(record, site, bad, thresholds))
    return Judged(tuple(found))


def _spikes_at(steps: Sequence[Step], times: float) -> list[_Spike]:
    """The norms that stand out of those before and were so many times their median."""
    window: deque[float] = deque(maxlen=WINDOW)
    found: list[_Spike] = []
    largest = 0.0
    for place, step in enumerate(steps):
        norm = step.unclipped
        if not is_finite(norm) or norm <= 0:
            continue
        log = math.log(norm)
        if len(window) >= WINDOW and norm >= RECORD_SIZE * largest:
            centre = median(window)
            usual = math.exp(centre)
            if norm >= times * usual and log - centre >= DEVIATIONS * _width(window):
                harmed = _harmed(steps, place)
                if harmed or _comes_back(steps[place + 1 :], times * usual):
                    if not _was_clipped(step, times * usual):
                        found.append(_Spike(step, norm, usual, harmed, _stands_out(steps, place)))
                    continue
        window.append(log)
        largest = max(largest, norm)
    return found


def _width(logs: Sequence[float]) -> float:
    return max(spread(logs), NARROWEST)


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


def _spiked(record: Record, site: int, bad: list[_Spike], thresholds: Thresholds) -> Finding:
    worst = max(bad, key=lambda spike: spike.norm / spike.usual)
    harmed = sum(spike.harmed for spike in bad)
    because = (
        f"at step {worst.step.step} the norm was {shown(worst.norm)} where {shown(worst.usual)} is usual there, "
        f"{shown(worst.norm / worst.usual)} times as much, and nothing clipped it; {len(bad)} such in the run, "
        f"{harmed} of them with a loss that rose and stayed up over the next {AFTER} steps."
    )
    evidence: Evidence = {
        "norm": worst.norm, "usual_norm": worst.usual, "times": worst.norm / worst.usual, "count": len(bad),
        "harmed": harmed, "steps": ", ".join(str(spike.step.step) for spike in bad[:50]),
    }  # fmt: skip
    where: Where = {"step": worst.step.step, "site": site_name(record, site)}
    why = "twice the usual norm leaves ordinary steps alone and bounds the rest"
    bounded = clip(record, site, shown(2 * worst.usual), why)
    look = Remedy("look-at-batch", f"# print the batch of step {worst.step.step}", "a spike often is one bad sample")
    limit = thresholds.spike if worst.harmed else thresholds.giant_spike
    how = f"‖g‖ / median ‖g‖ of {WINDOW} steps before = {formula.quotient(worst.norm, worst.usual)} ≥ {limit:g}"
    return Finding("GR302", "warning", SPIKES.title, where, evidence, because, (bounded, look), how)


def clipped(record: Record, thresholds: Thresholds) -> Judged:
    """GR303: nearly every step is cut to a small part of its norm; a warning where the weights then stand still."""
    end = first_break(record)
    found, any_clip = [], False
    for site in active_sites(record):
        steps = [s for s in steps_at(record, site) if end is None or s.step < end]
        pairs = [
            (n, s.threshold)
            for s in steps[len(steps) // 2 :]
            if s.clip == "norm"
            and is_finite(n := s.pre_clip if s.pre_clip is not None else s.norm)
            and is_finite(s.threshold)
        ]
        if len(pairs) < WINDOW // 2:
            continue
        any_clip = True
        rate = sum(norm > threshold for norm, threshold in pairs) / len(pairs)
        times = median([norm / threshold for norm, threshold in pairs if threshold > 0] or [math.inf])
        if rate >= thresholds.clipped_rate and times >= thresholds.clipped_times:
            norm, limit = median([n for n, _ in pairs]), pairs[-1][1]
            found.append(_clipped(record, site, norm, limit, rate, times, thresholds.clipped_rate))
    return Judged(tuple(found), "" if any_clip else "the script does not clip by norm")


def _clipped(
    record: Record, site: int, norm: float, threshold: float, rate: float, times: float, least: float
) -> Finding:
    ratio = update_ratio([look for look in sound_looks(record) if look.site == site])
    harm = stalled(record, site) and ratio is not None and ratio < SLOW
    severity: Severity = "warning" if harm else "info"
    because = (
        f"{percent(rate)} of the steps are clipped, to {shown(threshold)} from a norm of {shown(norm)}: the "
        "gradient's size is thrown away and every step has the length of the threshold times the rate, "
        f"{shown(times)} times less than the gradient asks"
    )
    because += (
        f"; an update changes the weights by {shown(ratio)} of their size, and the loss does not fall."
        if harm
        else "; harmless as long as the learning rate suits it."
    )
    evidence: Evidence = {
        "clip_rate": rate, "threshold": threshold, "norm": norm, "times": times, "update_size": ratio, "stalled": harm,
    }  # fmt: skip
    raised = clip(record, site, shown(2 * norm), "clips the exceptional step alone")
    raise_it = replace(raised, id="raise-threshold")
    rate_up = Remedy("raise-rate", f"lr = lr * {shown(times)}", "the same step length, if the threshold is to stay")
    where: Where = {"site": site_name(record, site)}
    how = f"g ← g · {shown(threshold)} / ‖g‖: {formula.quotient(threshold, norm)} of it is left, "
    how += f"in {percent(rate)} ≥ {percent(least)} of the steps"
    return Finding("GR303", severity, CLIPPING.title, where, evidence, because, (raise_it, rate_up), how)


def unclipped(record: Record, thresholds: Thresholds) -> Judged:
    """GR304: the norm blew up, the loss went with it, and no threshold was in force."""
    if sum(is_finite(step.unclipped) for step in record.steps) < 2:
        return Judged(why_not="fewer than two norms were measured")
    burst = blow_up(record, thresholds)
    if burst is None or any(step.clip for step in record.steps if step.site == burst.site):
        return Judged()
    then = "and then became non-finite" if burst.ends_nonfinite else f"and the loss went to {shown(burst.loss_after)}"
    because = (
        f"the norm grew from {shown(burst.before)} to {shown(burst.peak)} by step {burst.step}, {then}; "
        "the script never called a clipping function."
    )
    evidence: Evidence = {
        "usual_norm": burst.before, "largest_norm": burst.peak, "times": burst.peak / burst.before,
        "loss_before": burst.loss_before, "loss_after": burst.loss_after, "ends_nonfinite": burst.ends_nonfinite,
    }  # fmt: skip
    remedies = (
        clip(record, burst.site, shown(2 * burst.before), "bounds every step at twice the norm of the sound ones"),
        Remedy("lower-rate", "lr = lr / 10", "a rate above 2 / curvature diverges with any clipping, only slower"),
    )
    where: Where = {"step": burst.step, "site": site_name(record, burst.site)}
    how = f"‖g‖ / ‖g‖ before = {formula.quotient(burst.peak, burst.before)} ≥ {thresholds.blow_up:g}; "
    how += (
        "then it is not finite"
        if burst.ends_nonfinite
        else f"loss {shown(burst.loss_before)} → {shown(burst.loss_after)}"
    )
    return Judged((Finding("GR304", "error", UNCLIPPED.title, where, evidence, because, remedies, how),))


SPIKES = Rule(
    "GR302",
    "gradient-spikes",
    "gradient spikes",
    ("warning",),
    "step",
    Explain(
        cause="Single batches give a gradient far outside all others: a bad sample, a cliff of the loss, or a batch "
        "on which the model is surely wrong. One such step can undo hundreds, and fills Adam's second moment for "
        "1/(1 − β₂) steps.",
        mathematics=("z = (ln‖g‖ − median) / (1.4826 · median |ln‖g‖ − median|), over the place's last 20 norms",),
        thresholds="Each line that calls backward has its own window, for two losses' norms differ; it is short "
        f"because norms drift as training goes on, and the first {WINDOW} norms are never judged. A spike lies "
        f"{DEVIATIONS:g} deviations and {DEFAULT.spike:g} times over the median, and {RECORD_SIZE:g} times over every "
        "earlier norm, so that the wide noise of small batches and the rare mistakes of a converged model pass. It "
        f"is reported where no threshold cut it and it did harm (the loss rose by half over the next {AFTER} steps) "
        f"or is {DEFAULT.giant_spike:g} times the median with a loss as far out of line: heavy-tailed noise leaves the "
        "loss where it was.",
        remedies=(
            "Clip at twice the usual norm: free, ordinary steps stay as they are.",
            "Look at the batch: the only remedy for bad data.",
            "Skip such steps: loses the sample; rare true signals with it.",
        ),
        silence="Where rare, strong batches are the signal (sparse rewards).",
        references=(_PASCANU, "Zhang, He, Sra, Jadbabaie (2020): Why gradient clipping accelerates training"),
    ),
    spikes,
)

CLIPPING = Rule(
    "GR303",
    "clips-every-step",
    "clipping threshold far too low",
    ("warning", "info"),
    "step",
    Explain(
        cause="The threshold lies far below the ordinary norm, so clipping no longer catches exceptions: it "
        "replaces the gradient by its direction.",
        mathematics=(
            "g ← g · threshold / ‖g‖:   ‖Δw‖ = rate · threshold at every step of SGD; Adam divides the "
            "factor out again",
        ),
        thresholds=f"Where {percent(DEFAULT.clipped_rate)} of the second half's steps are clipped, from a norm of "
        f"{DEFAULT.clipped_times:g} times the threshold in the median: then it is the rule and no exception. That "
        "alone is information: with a rate to match it is "
        "normalised gradient descent, a sound method, and thresholds a few times under the norm are common. It is a "
        f"warning where updates also stay under {SLOW:g} of the weights (1e-3 is usual) and the loss certainly does "
        "not fall.",
        remedies=(
            "Raise the threshold to about twice the usual norm: free; exceptional steps are still cut.",
            "Raise the rate instead: free; keeps the normalised step.",
        ),
        silence="Where normalised steps are meant.",
        references=(
            _PASCANU,
            "Hazan, Levy, Shalev-Shwartz (2015): Beyond convexity: stochastic quasi-convex optimization",
        ),
    ),
    clipped,
)

UNCLIPPED = Rule(
    "GR304",
    "exploding-unclipped",
    "exploding and nothing clips",
    ("error",),
    "step",
    Explain(
        cause="The norm grew by orders of magnitude while the loss diverged: each update lands where the gradient "
        "is larger still.",
        mathematics=(
            "w ← w − rate · g diverges where rate · curvature > 2, and where the product of Jacobians "
            "exceeds 1 for long",
        ),
        thresholds=f"The largest norm is {DEFAULT.blow_up:g} times the median of the first half and falls into the "
        f"second half; the loss ends above {DEFAULT.diverged:g} times its first value, or the step becomes non-finite "
        "other than by its data; and no clipping call was seen at that place. Norms of adversaries, or of a model that "
        "grows sure of itself, change by 10 or so and the loss does not leave its range.",
        remedies=(
            "Clip by the global norm: free, keeps the direction.",
            "A lower rate: slower; removes the cause where the rate is too high.",
        ),
        silence="Where divergence is what is studied.",
        references=(_PASCANU, "Mikolov (2012): Statistical language models based on neural networks"),
    ),
    unclipped,
)

RULES = (SPIKES, CLIPPING, UNCLIPPED)
