"""GR712: the targets go through batch and time in another order than the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from gradreach.facts.facts import Facts
from gradreach.facts.statistics import median
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure
from gradreach.record.schema import Finding
from gradreach.record.seen.loss import TargetOrder
from gradreach.remedies.advice.turn_targets import TURN_TARGETS
from gradreach.rules.harm import guesses, harm
from gradreach.rules.losses import headline, shape
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

FIT = 6.0
"""Deviations above what moved ids come to, from which targets fit their ids: chance gets there once in 100 000 looks at
most, of ids and targets of two kinds."""

BY_CHANCE = 3.0
"""Deviations within which the targets fit no better than chance has it."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line whose targets fit the ids at the places of the outputs only if they are turned, look after look."""
    seen: dict[int, dict[tuple[str, bool], list[TargetOrder]]] = {}
    for look in facts.seen.looks:
        for order in look.target_orders:
            seen.setdefault(look.site, {}).setdefault((order.module, order.is_along_ids), []).append(order)
    if not any(len(orders) >= MIN_LOOKS for of_site in seen.values() for orders in of_site.values()):
        return RuleOutcome(why_not=f"no rows of a cross entropy were followed to ids {MIN_LOOKS} times")
    return RuleOutcome(
        tuple(
            _finding(facts, site, orders)
            for site, of_site in seen.items()
            if not any(_fits(orders) for orders in of_site.values())
            for orders in of_site.values()
            if _is_turned(orders)
        )
    )


def _fits(orders: Sequence[TargetOrder]) -> bool:
    """Whether the targets fit as they stand."""
    return abs(median([each.given for each in orders])) >= BY_CHANCE


def _is_turned(orders: Sequence[TargetOrder]) -> bool:
    return len(orders) >= MIN_LOOKS and median([each.turned for each in orders]) >= FIT


def _finding(facts: Facts, number: int, orders: Sequence[TargetOrder]) -> Finding:
    site, seen = facts.site(number), orders[-1]
    given, turned = (median([getattr(each, name) for each in orders]) for name in ("given", "turned"))
    outputs, targets = ("axis 0", "axis 1") if seen.is_along_ids else ("axis 1", "axis 0")
    because = (
        "The loss holds outputs against the targets of other places: outputs and targets lie along different axes of "
        f"the ids {shape(seen.shape)} that `{seen.module}` is given. The rows of the output go through {outputs} of "
        f"them first, as single rows were seen to read, and the targets through {targets}: as they stand they fit the "
        f"ids at their rows no better than by chance ({_z(given)} deviations), and in the other order they do "
        f"({_z(turned)} deviations), on {count(len(orders), 'look')}. flatten and view(-1) keep the order of memory: "
        "(time, batch) and (batch, time) give as many rows, and no error is raised."
    )
    worst = harm(facts, site) or guesses(facts, site)
    if told := harm(facts, site):
        because += f" {told[0].upper()}{told[1:]}."
    evidence: Evidence = {
        "given": given, "turned": turned, "shape": shape(seen.shape), "places": prod(seen.shape),
        "looks": len(orders),
    }  # fmt: skip
    where: Where = {"module": seen.module, "site": site.name}
    stand = f"as they stand: {_z(abs(given))} < {figure(BY_CHANCE)}"
    how = f"fit of the targets, turned: {_z(turned)} ≥ {figure(FIT)};   {stand}"
    return RULE.finding("error" if worst else "warning", where, evidence, because, (TURN_TARGETS.remedy(),), how)


def _z(deviations: float) -> str:
    return figure(round(deviations, 1))


RULE = Rule(
    code="GR712",
    slug="turned-targets",
    title="targets in another order than the outputs",
    severities=("error", "warning"),
    family="data",
    explain=Explanation(
        cause="A loss of sequences takes one row for each place: outputs (time, batch, classes) as view(-1, classes), "
        "targets as view(-1). Where the one has time first and the other the batch, both give as many rows, and row r "
        "holds the output of one place against the target of another one, mostly in another sequence. No error is "
        "raised, and nothing but the shares of the classes can be learned.",
        mathematics=(
            "row r of outputs (T, B): t = r ÷ B, b = r mod B;   of targets (B, T): b = r ÷ T, t = r mod T",
            "fit: √(2 n I), I = Σ p(x, y) log (p(x, y) / p(x) p(y)), x the id at the place of a row, y its target",
        ),
        thresholds="Of a cross entropy with a row for each id that an embedding is given, a few rows are followed "
        "back to the ids: each reads its own place in one of the two orders, and else no place outside of one row or "
        "column of the ids. The mutual information I of id and target is then counted over the n rows as the targets "
        "stand, and with the targets in the other order, both beside the same ids moved along both axes, which keeps "
        f"stretches and shares. Where they stand the targets lie within {BY_CHANCE:g} deviations of that, and turned "
        f"{FIT:g} or more above it, at the median of {MIN_LOOKS} looks or more; the first looks alone count. It is an "
        "error where the loss does not fall, or is no lower than a constant guess gets, else a warning.",
        remedies=("Transpose targets or outputs, so that both have the same axis first, and flatten then: a copy.",),
        silence="Where targets are handed to other samples on purpose, as in a test of what can be learned by heart.",
        references=("Karpathy (2019): A recipe for training neural networks",),
    ),
    judge=judge,
    headline=headline,
    urgency=0,
    effects=("GR604",),
    labels={
        "given": "fit of the targets as they stand",
        "turned": "fit in the other order",
        "shape": "shape of the ids",
        "places": "rows of the loss",
    },
    zoo=("gr712_tags_batch_first", "gr712_words_batch_first"),
)
