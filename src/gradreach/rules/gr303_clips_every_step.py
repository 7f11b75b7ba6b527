"""GR303: nearly every step is cut to a small part of its norm; a warning where the weights then hardly move."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gradreach.facts.clipping import clipped_norm, clipping
from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.statistics import is_finite, median
from gradreach.facts.thresholds import Threshold
from gradreach.facts.updates import Updates
from gradreach.facts.value_clip import ClippedValues
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding, Remedy, Severity
from gradreach.remedies.advice.raise_rate import RAISE_RATE
from gradreach.remedies.advice.raise_threshold import RAISE_THRESHOLD
from gradreach.remedies.advice.unscale import UNSCALE
from gradreach.rules import formula
from gradreach.rules.harm import guesses, slow
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
    by_values = [(site, each) for site in facts.sites if (each := facts.updates[site.number].clipped_values)]
    if not halves and not by_values:
        return RuleOutcome(why_not="the script does not clip")
    rate, times = facts.thresholds[CLIPPED_RATE], facts.thresholds[CLIPPED_TIMES]
    by_norm = [_finding(facts, site, half) for site, half in halves if half.rate >= rate and half.times >= times]
    by_value = [_finding_by_value(facts, site, each) for site, each in by_values if each.norm >= times * each.left]
    return RuleOutcome((*by_norm, *by_value))


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
    updates = facts.updates[site.number]
    ratio, harm = updates.ratio, _harm(facts, site, updates)
    severity: Severity = "warning" if harm or half.scale != 1 else "info"
    because = _scaled(half) if half.scale != 1 else _short(half)
    because += (
        f"; an update changes the weights by {figure(ratio)} of their size in the median, and the loss {harm}."
        if harm
        else "; harmless as long as the learning rate suits it."
    )
    evidence: Evidence = {
        "clip_rate": half.rate, "threshold": half.threshold, "norm": half.norm, "times": half.times,
        "loss_scale": half.scale if half.scale != 1 else None, "update_size": ratio, "stalled": bool(harm),
    }  # fmt: skip
    how = f"g ← g · {figure(half.threshold)} / ‖g‖: {formula.quotient(half.threshold, half.norm)} of it is left, "
    how += f"in {percent(half.rate, 3)} ≥ {percent(facts.thresholds[CLIPPED_RATE], 3)} of the steps"
    return RULE.finding(severity, {"site": site.name}, evidence, because, _remedies(facts, site, half), how)


def _harm(facts: Facts, site: Site, updates: Updates) -> str:
    """How the loss goes where the updates are far shorter than usual; empty where that is no harm.

    A loss that falls slowly is clipping's doing alone where the step is as long as the gradient. There a loss that has
    come no lower than a constant guess is harm, however long the updates are.
    """
    is_short = updates.ratio is not None and updates.ratio < SLOW
    if is_short and (site.stalled or updates.follow_size):
        return slow(facts, site)
    return guesses(facts, site) if updates.follow_size and updates.ratio is not None else ""


def _finding_by_value(facts: Facts, site: Site, found: ClippedValues) -> Finding:
    updates = facts.updates[site.number]
    ratio, harm = updates.ratio, _harm(facts, site, updates) if updates.follow_size else ""
    severity: Severity = "warning" if harm or found.scale != 1 else "info"
    times, limit = found.norm / found.left, figure(found.threshold)
    because = (
        f"each element of the gradient is clipped at ±{limit}, which cuts {percent(found.cut)} of those that are not 0 "
        f"and leaves a norm of {figure(found.left)} from {figure(found.norm)}, in the median of {found.looks} looks: "
    )
    if found.scale != 1:
        because += f"the script clips before `scaler.unscale_`, while the loss scale of {figure(found.scale)} still "
        because += "multiplies them."
    elif harm:
        because += f"steps are {figure(times)} times shorter than the gradient asks; an update changes the weights by "
        because += f"{figure(ratio)} of their size in the median, and the loss {harm}."
    else:
        because += "of what is cut the sign alone is left; harmless as long as the learning rate suits it."
    evidence: Evidence = {
        "clip_rate": None, "threshold": found.threshold, "norm": found.norm, "norm_left": found.left, "times": times,
        "elements_cut": found.cut, "loss_scale": found.scale if found.scale != 1 else None, "update_size": ratio,
        "stalled": bool(harm),
    }  # fmt: skip
    how = f"g ← min(max(g, −{limit}), {limit}): {formula.quotient(found.left, found.norm)} of the norm is left"
    half = ClippedHalf(found.norm, found.threshold, 1.0, times, found.scale)
    remedies = _remedies(facts, site, half, "clips the exceptional step alone, in place of `clip_grad_value_`")
    return RULE.finding(severity, {"site": site.name}, evidence, because, remedies, how)


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


def _remedies(facts: Facts, site: Site, half: ClippedHalf, why: str = RAISE_THRESHOLD.does) -> tuple[Remedy, ...]:
    """A threshold that this run's own norms tell of; of a script that clips them scaled, after they are unscaled."""
    threshold, models = facts.suggested_threshold_at(site), facts.seen.models_at(site.number)
    advised = figure(half.norm / half.scale if threshold is None else threshold, 2)
    if half.scale != 1:
        return (UNSCALE.remedy(models, advised),)
    return (
        RAISE_THRESHOLD.remedy_because(why, models, advised, facts.is_scaled),
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
            "g_i ← min(max(g_i, −c), c):   for c far below all |g_i| this is c · sign(g)",
        ),
        thresholds=f"Where {percent(CLIPPED_RATE.default, 3)} of the second half's steps are clipped, from a norm of "
        f"{CLIPPED_TIMES.default:g} times the threshold in the median: then it is the rule and no exception. That "
        "alone is information: with a rate to match it is "
        "normalised gradient descent, a sound method, and thresholds a few times under the norm are common. It is a "
        f"warning where updates also stay under {SLOW:g} of the weights (1e-3 is usual) and the loss certainly does "
        "not fall, or, under SGD, whose step is as long as the gradient, still falls and has more than half of its "
        "first value left; under SGD, whatever the updates are, where 200 passes have not brought the loss below what "
        "a constant guess gets; or where it is clipped under the loss scale: that limit moves with the scale. Clipping "
        "by value is judged by what it leaves of the norm, in the median of the last half of the looks: a "
        f"{CLIPPED_TIMES.default:g}th or less.",
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
    effects=("GR305", "GR318"),
    zoo=("gr303_threshold_too_low", "gr303_value_far_too_low"),
)
