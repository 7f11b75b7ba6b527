"""GR606: a loss that nothing bounds from below, so that it falls for ever while nothing is learned."""

from __future__ import annotations

from typing import Literal

from gradreach.facts.facts import Facts
from gradreach.facts.losses import LossPart
from gradreach.facts.site import FALLS_ON, FAR_BELOW, FEWEST_UNBOUNDED, Site
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure
from gradreach.record.schema import Finding, Remedy
from gradreach.remedies.advice.positive_weights import POSITIVE_WEIGHTS
from gradreach.remedies.advice.targets_as_shares import TARGETS_AS_SHARES
from gradreach.remedies.advice.turn_sign import TURN_SIGN
from gradreach.rules.gr602_probabilities_as_logits import is_no_logarithm
from gradreach.rules.losses import headline, where, whose
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

Why = Literal["targets", "weights", "sign", "unknown"]

_REMEDIES: dict[Why, Remedy] = {
    "targets": TARGETS_AS_SHARES.remedy(),
    "weights": POSITIVE_WEIGHTS.remedy(),
    "sign": TURN_SIGN.remedy(),
    "unknown": TURN_SIGN.remedy(),
}

_BOUND: dict[Why, str] = {
    "targets": "it has no least value where y < 0 or y > 1",
    "weights": "it has no least value where w < 0",
    "sign": "the error stands in it as −e",
    "unknown": "it knows no least value",
}


def judge(facts: Facts) -> RuleOutcome:
    """Each line whose loss falls without end, or whose comparison has no least value by its weights or targets."""
    if not facts.sites:
        return RuleOutcome(why_not="no loss was read")
    found = (_finding(facts, site) for site in facts.sites)
    return RuleOutcome(tuple(each for each in found if each is not None))


def _finding(facts: Facts, site: Site) -> Finding | None:
    if any(is_no_logarithm(part) for part in facts.seen.loss_parts if part.site == site.number):
        return None
    part, why = _told(facts, site)
    if why in ("unknown", "sign") and not site.falls_without_bound:
        return None
    went = site.learning
    first, last = (0.0 if each is None else each for each in (went.first, went.last))
    way = f"from {figure(first)} to {figure(last)}"
    falls = (
        f"falls without end, about as fast at last as before, {way}"
        if site.falls_without_bound
        else "has no least value"
    )
    because = f"The loss {falls}: {_reason(part, why)}."
    because += " A low loss says nothing here." if site.falls_without_bound else f" It went {way}."
    place: Where = {"site": site.name} if part is None else where(facts, part)
    evidence: Evidence = {"first_loss": first, "last_loss": last, "losses": went.losses, "why": why}
    harmed = site.falls_without_bound or last < 0
    how = f"loss at last {figure(last)}, at first {figure(first)}; {_BOUND[why]}"
    return RULE.finding("error" if harmed else "warning", place, evidence, because, (_REMEDIES[why],), how)


def _told(facts: Facts, site: Site) -> tuple[LossPart | None, Why]:
    """The comparison that has no least value, and why; one that a minus turns comes last."""
    order: tuple[Why, ...] = ("targets", "weights", "sign")
    told = [(part, _why(part)) for part in facts.seen.loss_parts if part.site == site.number]
    known = [(part, why) for part, why in told if why != "unknown"]
    return min(known, key=lambda each: order.index(each[1]), default=(None, "unknown"))


def _why(part: LossPart) -> Why:
    """Why a comparison has no least value, by all looks at it."""
    if len(part.looks) < MIN_LOOKS:
        return "unknown"
    if all(look.has_negative_weights for look in part.looks):
        return "weights"
    targets = [look.targets for look in part.looks if look.targets is not None]
    if part.last.kind == "binary cross entropy on logits" and targets:
        outside = [each for each in targets if each.low < 0 or each.high > 1]
        if 2 * len(outside) > len(targets):
            return "targets"
    return "sign" if all(look.is_turned for look in part.looks) else "unknown"


def _reason(part: LossPart | None, why: Why) -> str:
    if part is None or why == "unknown":
        return (
            "no error can do so, but a likelihood or a score that is meant to rise can, where it is handed over "
            "without its minus"
        )
    if why == "weights":
        return f"its {part.last.kind} of {whose(part.last)} has weights below 0, which reward errors"
    if why == "sign":
        return f"the {part.last.kind} of {whose(part.last)} stands in it with a minus, so that it is made larger"
    low = min(look.targets.low for look in part.looks if look.targets is not None)
    high = max(look.targets.high for look in part.looks if look.targets is not None)
    return (
        f"the targets of its binary cross entropy go from {figure(low)} to {figure(high)}, and outside of 0 to 1 ever "
        "larger logits make it ever smaller"
    )


RULE = Rule(
    code="GR606",
    slug="unbounded-loss",
    title="a loss without a lower bound",
    severities=("error", "warning"),
    family="loss",
    explain=Explanation(
        cause="A loss that can always be made smaller is no measure of an error, and to minimise it makes the weights "
        "grow for ever. It is a log likelihood or a score without its minus, a cross entropy whose weights are below "
        "0, or one whose targets lie outside of 0 to 1.",
        mathematics=(
            "log p ≤ 0 is to be maximised:   L = −log p",
            "L(z) = w·(−y·log σ(z) − (1 − y)·log σ(−z)) → −∞ where w < 0, y < 0 or y > 1",
        ),
        thresholds=f"The loss of {FEWEST_UNBOUNDED} steps or more falls from each fifth of the run to the next, in the "
        f"last by {FALLS_ON:g} of the mean fall or more, to {FAR_BELOW:g} times its first size, or 1 if that is more, "
        "below 0: an error. A binary cross entropy on logits with targets outside of 0 to 1 in most of "
        f"{MIN_LOOKS} looks or more, and a cross entropy that always has weights below 0, are named on sight: an error "
        "once the loss is below 0, else a warning. A minus before a comparison is named where the loss falls without "
        "end, for adversaries mean it. A loss that need not fall is left alone, and what is no logarithm is told by "
        "GR602.",
        remedies=(
            "The negative of what is to be maximised: free.",
            "Weights that are counts over counts, above 0: free.",
            "Targets as shares, 0 to 1: free.",
        ),
        silence="Where a score is minimised on purpose over few steps.",
        references=("Bishop (2006): Pattern recognition and machine learning, section 4.3.2",),
    ),
    judge=judge,
    headline=headline,
    urgency=0,
    labels={"first_loss": "loss at first", "last_loss": "loss at last"},
    zoo=("gr606_log_likelihood", "gr606_negative_weight", "gr606_bytes_as_targets", "gr606_minus"),
)
