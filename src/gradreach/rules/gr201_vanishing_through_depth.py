"""GR201: the gradient falls over decades on its way to the input, and the early layers do not learn."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.depth import DEPTH_DECADES, LOST_DECADES, Trend
from gradreach.facts.facts import Facts
from gradreach.facts.statistics import known, median, most, mostly
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure
from gradreach.record.schema import Finding
from gradreach.remedies.advice.activation import ACTIVATION
from gradreach.remedies.advice.residual import RESIDUAL
from gradreach.rules import through_depth
from gradreach.rules.references import GLOROT, HE
from gradreach.rules.rule import Explanation, Rule, RuleOutcome
from gradreach.rules.through_depth import MONOTONE, TREND, UNEQUAL, WHOLE_CHANGE

SLOW = 1e-6
"""‖Δw‖ / ‖w‖ of a layer that does not learn: a thousandth of the usual 1e-3."""

STILL = 1e-7
"""‖Δw‖ / ‖w‖ under which an update is lost in float32's rounding of the weight itself."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line that calls backward whose early layers are cut off in most looks, with harm."""
    trends = {site: each for site, each in facts.seen.trends.items() if len(each) >= MIN_LOOKS}
    if not trends:
        return RuleOutcome(why_not=through_depth.too_short(f"{MIN_LOOKS} times"))
    judged = (_judged(facts, site, each) for site, each in trends.items())
    return RuleOutcome(tuple(found for found in judged if found is not None))


def _judged(facts: Facts, site: int, trends: Sequence[Trend]) -> Finding | None:
    """The finding on a line, where its early layers are cut off to the end, or were until it was too late to learn."""
    decades = facts.thresholds[DEPTH_DECADES]
    cut = [each.decades >= decades and each.rank >= MONOTONE and _cut_off(each) for each in trends]
    if not mostly(cut):
        return None
    if most(cut):
        harm = _harm(facts, site, trends)
        return _finding(facts, trends[-1], harm) if harm else None
    if not (nothing := _nothing_learned(facts, site)):
        return None
    last = max(at for at, is_cut in enumerate(cut) if is_cut)
    return _finding(facts, trends[last], f"it shrinks by less since step {trends[last + 1].look.step}, but {nothing}")


def _cut_off(trend: Trend) -> bool:
    """Whether the early weights are cut off from the loss, not merely their units many or small."""
    ratio = trend.early_update
    return trend.leverage is None or trend.leverage >= UNEQUAL or (ratio is not None and ratio <= STILL)


def _nothing_learned(facts: Facts, site: int) -> str:
    if facts.site(site).stalled:
        return "the loss does not fall"
    return "the loss is no better than a constant guess" if facts.is_constant_guess(site) else ""


def _harm(facts: Facts, site: int, trends: Sequence[Trend]) -> str:
    ratios = known(trend.early_update for trend in trends)
    if ratios and median(ratios) < SLOW:
        return f"an update changes the early weights by {figure(median(ratios))} of their size in the median"
    if nothing := _nothing_learned(facts, site):
        return nothing
    if median([trend.decades for trend in trends]) >= facts.thresholds[LOST_DECADES]:
        return "beside the late layers' gradient the early one is lost in float32's rounding"
    return ""


def _finding(facts: Facts, trend: Trend, harm: str) -> Finding:
    logistic = any(seen.activation == "sigmoid" for seen in trend.look.depth)
    middle = trend.layers[len(trend.layers) // 2]
    remedies = (
        through_depth.initial_scale(facts, trend),
        RESIDUAL.remedy(middle.module, middle.activation),
        through_depth.normalised(trend),
        *((ACTIVATION.remedy(),) if logistic else ()),
    )
    return through_depth.finding(RULE, facts, trend, "shrinks", harm, remedies)


RULE = Rule(
    code="GR201",
    slug="vanishing-through-depth",
    title="vanishing through depth",
    severities=("error",),
    family="depth",
    explain=Explanation(
        cause="Every layer on the way back multiplies the gradient by its weights and its activation's slope. Where "
        "that product is under 1 layer after layer, the first layers get nothing and keep their random weights.",
        mathematics=(
            "∂L/∂x_l = W_lᵀ diag(f′(a_l)) ∂L/∂x_{l+1},   so ‖∂L/∂x_l‖ ~ (mean slope · gain)^(depth − l)",
            "logistic: f′ ≤ 1/4;   tanh: f′ ≤ 1;   ReLU keeps half of the variance: gain √2 makes up for it",
            WHOLE_CHANGE,
        ),
        thresholds=TREND + f"The early third's ‖w‖·‖∂L/∂w‖ must lie under 1/{UNEQUAL:g} of the late third's, or its "
        f"update under {figure(STILL)} of the weights; and there must be harm: early updates under {figure(SLOW)} of "
        "the weights (1e-3 is usual), a loss that stands still or is that of a constant guess, or "
        f"{LOST_DECADES.default:g} decades, where float32 loses the early gradient beside the late one. Where the last "
        "look shows it no more, nothing may have been learned yet. A residual stream or a warm-up shows no such line.",
        remedies=(
            "Initial weights of the right scale: free.",
            "Residual connections: free; width must stay equal along them.",
            "Normalisation: a little time; small batches speak for LayerNorm over BatchNorm.",
            "ReLU or GELU for a logistic activation: free; units may die.",
        ),
        silence="Where early layers are meant to stay (better: requires_grad_(False)).",
        references=(GLOROT, HE, "He, Zhang, Ren, Sun (2016): Deep residual learning for image recognition"),
    ),
    judge=judge,
    thresholds=(DEPTH_DECADES, LOST_DECADES),
    opening="Your gradients vanish through depth at",
    urgency=5,
    zoo=("gr201_deep_sigmoid", "gr201_deep_small_weights", "gr201_gradients_asked_for"),
)
