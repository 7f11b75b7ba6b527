"""GR610: a part of the loss has no gradient, so that nothing learns it."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.statistics import median, spread
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure, percent
from gradreach.record.schema import Finding
from gradreach.record.seen.loss import LossConstant
from gradreach.remedies.advice.connect_loss import CONNECT_LOSS
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome

MUCH = 0.1
"""Part of the loss from which what has no gradient is told."""

VARIES = 1e-3
"""Deviation from look to look, as a part of its size, from which an addend is none that is constant by design."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line whose loss holds an addend that changes from look to look and has no gradient."""
    told = {site.number: _constants(facts, site) for site in facts.sites}
    if not any(told.values()):
        return RuleOutcome(why_not="no loss was seen that something without a gradient is added to")
    return RuleOutcome(tuple(found for site in facts.sites if (found := _finding(site, told[site.number]))))


def _constants(facts: Facts, site: Site) -> Sequence[LossConstant]:
    seen = [look.loss_constant for look in facts.seen.looks if look.site == site.number]
    known = [each for each in seen if each is not None and each.whole > 0]
    return known if len(known) >= MIN_LOOKS and len(known) == len(seen) else ()


def _finding(site: Site, seen: Sequence[LossConstant]) -> Finding | None:
    if not seen:
        return None
    value, share = median([each.value for each in seen]), median([each.value / each.whole for each in seen])
    varies = spread([each.value for each in seen])
    if share < MUCH or varies < VARIES * value:
        return None
    because = (
        f"{percent(share)} of the loss has no gradient: something is added to it that changes from step to step, "
        f"{figure(value)} at the median of {count(len(seen), 'look')}, and that was computed without a graph (under "
        "no_grad, detached, by item() or anew from numbers). Nothing is learned from it, however high it is."
    )
    evidence: Evidence = {"share": share, "value": value, "spread": varies, "looks": len(seen)}
    how = f"part of the loss without a gradient: {percent(share)} ≥ {percent(MUCH)}"
    return RULE.finding("warning", {"site": site.name}, evidence, because, (CONNECT_LOSS.remedy(),), how)


RULE = Rule(
    code="GR610",
    slug="constant-part",
    title="a part of the loss has no gradient",
    severities=("warning",),
    family="loss",
    explain=Explanation(
        cause="A term is added to the loss whose way to the weights is cut: the outputs in it were taken under "
        "no_grad, detached or turned into numbers, or it is computed from the target or the teacher alone. It shows in "
        "the loss that is printed, and does nothing.",
        mathematics=("L = L_1(w) + c:   ∂L/∂w = ∂L_1/∂w, whatever c is",),
        thresholds=f"The loss is the sum of comparisons whose values are known and of something that no gradient comes "
        f"through, in each look at that line ({MIN_LOOKS} at least). That something makes up {percent(MUCH)} of the "
        f"loss or more, and its spread over the looks is {VARIES:g} of it or more: a constant by design does not vary.",
        remedies=("Compute the term from the model's own output, outside of no_grad and without detach: free.",),
        silence="Where the term is added for the print alone.",
        references=("Paszke et al. (2017): Automatic differentiation in PyTorch",),
    ),
    judge=judge,
    headline=headline,
    urgency=2,
    labels={"share": "part of the loss", "value": "its size", "spread": "its spread"},
    zoo=("gr610_penalty_as_a_number", "gr610_distilled_under_no_grad"),
)
