"""GR303: nearly every step is cut to a small part of its norm; a warning where the weights then stand still."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gradreach.facts.clipping import clipped_norm, clipping
from gradreach.facts.depth import update_ratio
from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.statistics import is_finite, median
from gradreach.facts.thresholds import Threshold
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding, Remedy, Severity
from gradreach.remedies.advice.raise_rate import RAISE_RATE
from gradreach.remedies.advice.raise_threshold import RAISE_THRESHOLD
from gradreach.remedies.advice.unscale import UNSCALE
from gradreach.rules import formula
from gradreach.rules.references import PASCANU
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome

CLIPPED_RATE = Threshold("clipped_rate", 0.95, 0.01, 1.0, "share of the steps that are clipped")
CLIPPED_TIMES = Threshold("clipped_times", 10.0, 1.0, math.inf, "median of the norm over the clipping threshold")

FEWEST_CLIPPED = 10
"""Steps with a norm and a threshold below which a line is not judged."""

SLOW = 1e-4
"""‖Δw‖ / ‖w‖ of a step that clipping has made short: a tenth of the usual 1e-3."""


@dataclass(frozen=True, slots=True)
class ClippedHalf:
    """How the second half of the sound steps at a line is clipped: medians, and the last threshold in force.

    `norm` is what the script's call saw; `scale` is the loss scale that it saw it under, 1 where it saw the gradient's
    own.
    """

    norm: float
    threshold: float
    rate: float
    times: float
    scale: float


def judge(facts: Facts) -> RuleOutcome:
    """Each line that calls backward whose second half is clipped as a rule, not as an exception."""
    halves = [(site, half) for site in facts.sites if (half := _second_half(site)) is not None]
    if not halves:
        return RuleOutcome(why_not="the script does not clip by norm")
    rate, times = facts.thresholds[CLIPPED_RATE], facts.thresholds[CLIPPED_TIMES]
    return RuleOutcome(
        tuple(_finding(facts, site, half) for site, half in halves if half.rate >= rate and half.times >= times)
    )


def _second_half(site: Site) -> ClippedHalf | None:
    steps = [step for step in site.sound_steps[len(site.sound_steps) // 2 :] if step.clip == "norm"]
    pairs = [
        (norm, step.threshold) for step in steps if is_finite(norm := clipped_norm(step)) and is_finite(step.threshold)
    ]
    if len(pairs) < FEWEST_CLIPPED:
        return None
    return ClippedHalf(
        norm=median([norm for norm, _ in pairs]),
        threshold=pairs[-1][1],
        rate=clipping(steps, site.every).rate or 0.0,
        times=median([norm / threshold for norm, threshold in pairs if threshold > 0] or [math.inf]),
        scale=max(steps[-1].scale, 1.0) if site.clipping.scaled else 1.0,
    )


def _finding(facts: Facts, site: Site, half: ClippedHalf) -> Finding:
    ratio = update_ratio([look for look in facts.sound_looks if look.site == site.number])
    harm = site.stalled and ratio is not None and ratio < SLOW
    severity: Severity = "warning" if harm or half.scale != 1 else "info"
    because = _scaled(half) if half.scale != 1 else _short(half)
    because += (
        f"; an update changes the weights by {figure(ratio)} of their size in the median, and the loss does not fall."
        if harm
        else "; harmless as long as the learning rate suits it."
    )
    evidence: Evidence = {
        "clip_rate": half.rate, "threshold": half.threshold, "norm": half.norm, "times": half.times,
        "loss_scale": half.scale if half.scale != 1 else None, "update_size": ratio, "stalled": harm,
    }  # fmt: skip
    how = f"g ← g · {figure(half.threshold)} / ‖g‖: {formula.quotient(half.threshold, half.norm)} of it is left, "
    how += f"in {percent(half.rate, 3)} ≥ {percent(facts.thresholds[CLIPPED_RATE], 3)} of the steps"
    return RULE.finding(severity, {"site": site.name}, evidence, because, _remedies(facts, site, half), how)


def _short(half: ClippedHalf) -> str:
    return (
        f"{percent(half.rate, 3)} of the steps in the second half of the run are clipped, to {figure(half.threshold)} "
        f"from a norm of {figure(half.norm)} in the median: the gradient's size is thrown away and every step has the "
        f"length of the threshold times the rate, {figure(half.times)} times less than the gradient asks"
    )


def _scaled(half: ClippedHalf) -> str:
    return (
        f"the script clips before `scaler.unscale_`: it holds its threshold of {figure(half.threshold)} against norms "
        f"that the loss scale of {figure(half.scale)} still multiplies, {figure(half.norm)} in the median where the "
        f"gradient's own is {figure(half.norm / half.scale)}, and so clips {percent(half.rate, 3)} of the steps in the "
        "second half of the run"
    )


def _remedies(facts: Facts, site: Site, half: ClippedHalf) -> tuple[Remedy, ...]:
    """A threshold that this run's own norms tell of; of a script that clips them scaled, after they are unscaled."""
    threshold, models = facts.suggested_threshold_at(site), facts.models_at(site.number)
    advised = figure(half.norm / half.scale if threshold is None else threshold, 2)
    if half.scale != 1:
        return (UNSCALE.remedy(models, advised),)
    return (
        RAISE_THRESHOLD.remedy(models, advised, facts.is_scaled),
        RAISE_RATE.remedy_because(
            "longer steps, if the threshold is to stay; again while the loss stays calm", half.times
        ),
    )


RULE = Rule(
    code="GR303",
    slug="clips-every-step",
    title="clipping threshold far too low",
    severities=("warning", "info"),
    family="step",
    explain=Explanation(
        cause="The threshold lies far below the ordinary norm, so clipping no longer catches exceptions: it "
        "replaces the gradient by its direction.",
        mathematics=(
            "g ← g · threshold / ‖g‖:   ‖Δw‖ = rate · threshold at every step of SGD; Adam divides the "
            "factor out again",
        ),
        thresholds=f"Where {percent(CLIPPED_RATE.default, 3)} of the second half's steps are clipped, from a norm of "
        f"{CLIPPED_TIMES.default:g} times the threshold in the median: then it is the rule and no exception. That "
        "alone is information: with a rate to match it is "
        "normalised gradient descent, a sound method, and thresholds a few times under the norm are common. It is a "
        f"warning where updates also stay under {SLOW:g} of the weights (1e-3 is usual) and the loss certainly does "
        "not fall, or where the norms are clipped under the loss scale: that limit moves with the scale.",
        remedies=(
            "Raise the threshold to the norm that 99 % of the ordinary steps stay under: free; the rest is still cut.",
            "Raise the rate instead, tenfold at most at once: free; keeps the normalised step.",
            "Call `scaler.unscale_` first, where a loss scaler is used: free.",
        ),
        silence="Where normalised steps are meant.",
        references=(
            PASCANU,
            "Hazan, Levy, Shalev-Shwartz (2015): Beyond convexity: stochastic quasi-convex optimization",
        ),
    ),
    judge=judge,
    thresholds=(CLIPPED_RATE, CLIPPED_TIMES),
    heading="If the steps are too short",
    zoo=("gr303_threshold_too_low",),
)
