"""GR202: the gradient grows over decades on its way to the input, and training breaks or goes nowhere."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.blow_up import BLOW_UP, DIVERGED
from gradreach.facts.depth import DEPTH_DECADES, LOST_DECADES, Trend
from gradreach.facts.facts import Facts
from gradreach.facts.learning import FEWEST
from gradreach.facts.site import Site
from gradreach.facts.statistics import known, median, most
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure
from gradreach.record.schema import Finding
from gradreach.rules import through_depth
from gradreach.rules.references import GLOROT, HE
from gradreach.rules.rule import Explanation, Rule, RuleOutcome
from gradreach.rules.through_depth import MONOTONE, TREND, UNEQUAL, WHOLE_CHANGE

TORN = 0.1
"""‖Δw‖ / ‖w‖ at which ten steps replace the weights."""

REPLACED = 1.0
"""‖Δw‖ / ‖w‖ of a single update after which nothing is left of the weights."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line that calls backward whose gradient grows in most looks, or tore the weights at the first one."""
    fewest = 1 if facts.broke_by_growth else MIN_LOOKS
    trends = {site: each for site, each in facts.seen.trends.items() if len(each) >= fewest}
    if not trends:
        return RuleOutcome(why_not=through_depth.too_short("once" if fewest == 1 else f"{fewest} times"))
    found = []
    for site, each in trends.items():
        if most([_grows(facts, trend) for trend in each]):
            harm, shown = _harm(facts, site, each), each[-1]
        else:
            harm, shown = _torn_at_once(facts, each[0]), each[0]
        if harm:
            found.append(_finding(facts, shown, harm))
    return RuleOutcome(tuple(found))


def _grows(facts: Facts, trend: Trend) -> bool:
    return trend.decades <= -facts.thresholds[DEPTH_DECADES] and trend.rank <= -MONOTONE


def _torn_at_once(facts: Facts, first: Trend) -> str:
    """An explosion may end with its first update, for it leaves layers so saturated that nothing passes any more."""
    ratio = first.early_update
    if not _grows(facts, first) or ratio is None or ratio < REPLACED:
        return ""
    return f"the update of step {first.look.step} changed the early weights by {figure(ratio)} times their size"


def _harm(facts: Facts, site: int, trends: Sequence[Trend]) -> str:
    if facts.broke_by_growth:
        return f"step {facts.first_break} became non-finite"
    if (blow_up := facts.blow_up) is not None:
        return f"at step {blow_up.step} the norm had grown from {figure(blow_up.before)} to {figure(blow_up.peak)}"
    ratios = known(trend.early_update for trend in trends)
    if ratios and median(ratios) >= TORN:
        return f"an update changes the early weights by {figure(median(ratios))} of their size in the median"
    still = not _learns(facts.site(site))
    grown = [trend.growth for trend in trends if trend.growth is not None]
    if still and grown and median(grown) >= facts.thresholds[DEPTH_DECADES]:
        return f"the activations grow with it, by {figure(10.0 ** median(grown))} times, and the loss shows no fall"
    if not most([trend.leverage is not None and trend.leverage <= 1 / UNEQUAL for trend in trends]):
        return ""
    if facts.site(site).stalled or facts.site(site).worse_than_at_first:
        return "the loss does not fall"
    far_apart = median([-trend.decades for trend in trends]) >= facts.thresholds[LOST_DECADES]
    return "beside the early layers' gradient the late one is lost in float32's rounding" if far_apart else ""


def _learns(site: Site) -> bool:
    """Whether the loss falls, or there are too few to tell."""
    return site.need_not_fall or site.learning.course == "falls" or len(site.losses) < FEWEST


def _finding(facts: Facts, trend: Trend, harm: str) -> Finding:
    remedies = (
        through_depth.initial_scale(facts, trend),
        through_depth.normalised(trend),
    )
    return through_depth.finding(RULE, facts, trend, "grows", harm, remedies)


RULE = Rule(
    code="GR202",
    slug="exploding-through-depth",
    title="exploding through depth",
    severities=("error",),
    family="depth",
    explain=Explanation(
        cause="The same product lies above 1 layer after layer, so the first layers get a gradient thousands of "
        "times the last ones'. No learning rate suits both.",
        mathematics=(
            "‖∂L/∂x_l‖ ~ (mean slope · gain)^(depth − l) with a base above 1",
            WHOLE_CHANGE,
        ),
        thresholds=TREND + "And there must be harm: a non-finite step or a norm that blew up; early updates of "
        f"{TORN:g} of the weights or more; or, where the early weights carry {UNEQUAL:g} times the late ones' "
        f"‖w‖·‖∂L/∂w‖, a loss that does not fall, or {LOST_DECADES.default:g} decades, where float32 loses the late "
        "gradient beside the early one; or activations that grow by as many decades as the gradient must, and a loss "
        "that shows no fall, or no more. One look is enough where its update was as large as the weights. Up-sampling "
        "networks, whose first units serve many outputs, pass by ‖w‖·‖∂L/∂w‖.",
        remedies=(
            "Initial weights of the right scale: free.",
            "Normalisation: sets the scale anew at each layer, a little time.",
            "Clipping: keeps the run alive; tried alone it left the gradient as it was and the loss where it began.",
        ),
        silence="Where each layer has a rate of its own that makes up for it.",
        references=(GLOROT, HE, "Philipp, Song, Carbonell (2018): The exploding gradient problem demystified"),
    ),
    judge=judge,
    thresholds=(DEPTH_DECADES, LOST_DECADES, BLOW_UP, DIVERGED),
    opening="Your gradients explode through depth at",
    urgency=3,
    zoo=("gr202_deep_gain", "gr202_deep_gain_adam", "gr202_deep_growth_at_rest", "gr202_deep_relu_overflow"),
)
