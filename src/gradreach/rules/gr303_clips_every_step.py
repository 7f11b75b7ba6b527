"""GR303: nearly every step is cut to a small part of its norm; a warning where the weights then stand still."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gradreach.facts.depth import update_ratio
from gradreach.facts.facts import Facts
from gradreach.facts.site import Site, clipped_norm
from gradreach.facts.statistics import is_finite, median
from gradreach.facts.thresholds import Threshold
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding, Severity
from gradreach.remedies.advice.raise_rate import RAISE_RATE
from gradreach.remedies.advice.raise_threshold import RAISE_THRESHOLD
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
    """How the second half of the sound steps at a line is clipped: medians, and the last threshold in force."""

    norm: float
    threshold: float
    rate: float
    times: float


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
    steps = site.sound_steps[len(site.sound_steps) // 2 :]
    pairs = [
        (norm, step.threshold)
        for step in steps
        if step.clip == "norm" and is_finite(norm := clipped_norm(step)) and is_finite(step.threshold)
    ]
    if len(pairs) < FEWEST_CLIPPED:
        return None
    return ClippedHalf(
        norm=median([norm for norm, _ in pairs]),
        threshold=pairs[-1][1],
        rate=sum(norm > threshold for norm, threshold in pairs) / len(pairs),
        times=median([norm / threshold for norm, threshold in pairs if threshold > 0] or [math.inf]),
    )


def _finding(facts: Facts, site: Site, half: ClippedHalf) -> Finding:
    norm, threshold, times = half.norm, half.threshold, half.times
    ratio = update_ratio([look for look in facts.sound_looks if look.site == site.number])
    harm = site.stalled and ratio is not None and ratio < SLOW
    severity: Severity = "warning" if harm else "info"
    because = (
        f"{percent(half.rate, 3)} of the steps are clipped, to {figure(threshold)} from a norm of {figure(norm)}: the "
        "gradient's size is thrown away and every step has the length of the threshold times the rate, "
        f"{figure(times)} times less than the gradient asks"
    )
    because += (
        f"; an update changes the weights by {figure(ratio)} of their size, and the loss does not fall."
        if harm
        else "; harmless as long as the learning rate suits it."
    )
    evidence: Evidence = {
        "clip_rate": half.rate, "threshold": threshold, "norm": norm, "times": times, "update_size": ratio,
        "stalled": harm,
    }  # fmt: skip
    remedies = (
        RAISE_THRESHOLD.remedy(facts.models_at(site.number), figure(2 * norm)),
        RAISE_RATE.remedy_because("the same step length, if the threshold is to stay", figure(times)),
    )
    how = f"g ← g · {figure(threshold)} / ‖g‖: {formula.quotient(threshold, norm)} of it is left, "
    how += f"in {percent(half.rate, 3)} ≥ {percent(facts.thresholds[CLIPPED_RATE], 3)} of the steps"
    return RULE.finding(severity, {"site": site.name}, evidence, because, remedies, how)


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
        "not fall.",
        remedies=(
            "Raise the threshold to about twice the usual norm: free; exceptional steps are still cut.",
            "Raise the rate instead: free; keeps the normalised step.",
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
