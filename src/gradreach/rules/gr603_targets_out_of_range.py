"""GR603: targets lie outside of what the end of the network can give."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.losses import LossPart
from gradreach.facts.statistics import is_positive
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding, Severity
from gradreach.remedies.advice.linear_end import LINEAR_END
from gradreach.remedies.advice.scale_target import SCALE_TARGET
from gradreach.rules.losses import NO_LOSS, headline, severity, where, whose
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome

OUTSIDE = 0.05
"""Share of the targets outside from which the rule speaks."""

WEIGHT = 0.1
"""Part of the loss at last that the targets outside must account for."""

REACH = {
    "sigmoid": "0 to 1",
    "softmax": "0 to 1",
    "tanh": "−1 to 1",
    "relu": "0 and more",
    "softplus": "0 and more",
    "exp": "0 and more",
}
"""What an operation can give, in words; a recurrent state lies between −1 and 1."""


def judge(facts: Facts) -> RuleOutcome:
    """Each error of a bounded output that the targets outside of its bounds make up a good part of."""
    if not facts.seen.loss_parts:
        return RuleOutcome(why_not=NO_LOSS)
    found = (_finding(facts, part) for part in facts.seen.loss_parts if part.last.outside is not None)
    return RuleOutcome(tuple(each for each in found if each is not None))


def _finding(facts: Facts, part: LossPart) -> Finding | None:
    seen, outside, floor = part.last, part.usual("outside"), part.usual("floor")
    site = facts.site(part.site)
    loss = site.of_batch(site.learning.last)
    targets = [look.targets for look in part.looks if look.targets is not None]
    if not targets or outside is None or outside < OUTSIDE or not is_positive(floor) or loss is None:
        return None
    if floor < WEIGHT * loss:
        return None
    low, high = min(each.low for each in targets), max(each.high for each in targets)
    limits = REACH.get(seen.last, "−1 to 1")
    ends = f"ends in a {seen.last}" if seen.last in REACH else f"is the state of a layer of kind {seen.last}"
    because = (
        f"{whose(seen)[:1].upper()}{whose(seen)[1:]} {ends}, which gives {limits}, and {percent(outside)} of the "
        f"targets lie outside: they go from {figure(low)} to {figure(high)}. Even the best output leaves a loss of "
        f"{figure(floor)} there, and where it strains for more its slope goes to 0."
    )
    evidence: Evidence = {
        "operation": seen.last, "outside": outside, "target_low": low, "target_high": high, "least_loss": floor,
    }  # fmt: skip
    how = f"least loss {figure(floor)} ≥ {figure(WEIGHT)} · {figure(loss)}; outputs in {limits}"
    remedies = (LINEAR_END.remedy(seen.last, seen.module), SCALE_TARGET.remedy())
    place, serious = where(facts, part), _severity(facts, part, floor, loss)
    return RULE.finding(serious, place, evidence, because, remedies, how)


def _severity(facts: Facts, part: LossPart, floor: float, loss: float) -> Severity:
    """An error too where most of what is left of the loss is out of reach."""
    return "error" if floor >= 0.5 * loss else severity(facts, part)


RULE = Rule(
    code="GR603",
    slug="targets-out-of-range",
    title="targets outside of what the output can reach",
    severities=("error", "warning"),
    family="loss",
    explain=Explanation(
        cause="A sigmoid gives 0 to 1, a tanh and the state of an LSTM, GRU or RNN −1 to 1, a ReLU nothing below 0. "
        "Targets outside are out of reach: the output runs to its edge, where its slope goes to 0.",
        mathematics=("loss ≥ mean over the targets of (distance to the range)²", "σ′(a) = σ(a)(1 − σ(a)) → 0"),
        thresholds=f"At least {percent(OUTSIDE)} of the targets lie outside, and what they leave is at least "
        f"{percent(WEIGHT)} of the loss at last. An error where it is half of the loss, or the loss does not fall.",
        remedies=(
            "A linear layer at the end: free; outputs may then leave the range.",
            "Targets scaled into the range: undo it at the time of use.",
        ),
        silence="Where targets outside are noise that the range is meant to cut off.",
        references=("Goodfellow and others (2016): Deep Learning, section 6.2.2",),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    labels={"outside": "share of targets outside", "least_loss": "lowest loss possible"},
    zoo=("gr603_sigmoid_for_prices", "gr603_state_as_output"),
)
