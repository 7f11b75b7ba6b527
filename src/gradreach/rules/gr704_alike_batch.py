"""GR704: the rows of each batch are all alike, or their labels are."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.wording import count, figure, percent
from gradreach.record.look import Look
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.loss import LossLook
from gradreach.remedies.advice.distinct_rows import DISTINCT_ROWS
from gradreach.remedies.advice.shuffle import SHUFFLE
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

FEWEST_LOOKS = 5
FEWEST_LABELS = 8
"""Labels of a batch of which it is no chance that all are the same, look after look."""

SORTED = 0.8
"""Share of the looks whose labels are all one class; where one class ends and the next begins a batch holds two."""

CHANCE = 1e-3
"""How likely that may be for a batch drawn at random: with one class that is nearly all of the data it is no sign."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line that calls backward, by the data and by the labels of its looks."""
    sites = {site: [look for look in facts.seen.looks if look.site == site.number] for site in facts.sites}
    sites = {site: looks for site, looks in sites.items() if len(looks) >= FEWEST_LOOKS}
    if not sites:
        return RuleOutcome(why_not=f"no line that calls backward was watched {FEWEST_LOOKS} times")
    found = [_same_rows(site, looks) or _one_class(site, looks) for site, looks in sites.items()]
    return RuleOutcome(tuple(each for each in found if each is not None))


def _same_rows(site: Site, looks: Sequence[Look]) -> Finding | None:
    """Rows that are the same in every look, while the loss does not fall: a constant input may be meant."""
    rows = [look.same_rows for look in looks]
    if not all(rows) or not site.gains_nothing:
        return None
    because = (
        f"all {rows[-1]} rows of a batch are one and the same in each of {len(looks)} looks: what the model is given "
        "tells it nothing of the one target against another. The loss does not fall below what a constant guess gets."
    )
    evidence: Evidence = {"rows": rows[-1], "looks": len(looks)}
    how = f"x_i − x_1 = 0 for all {rows[-1]} rows i, in {len(looks)} ≥ {FEWEST_LOOKS} looks"
    return RULE.finding("error", {"site": site.name}, evidence, because, (DISTINCT_ROWS.remedy(),), how)


def _one_class(site: Site, looks: Sequence[Look]) -> Finding | None:
    """Labels that are all the same in each look, and others in another look."""
    if site.need_not_fall or not all(len(look.losses) == 1 for look in looks):
        return None
    losses = [look.losses[0] for look in looks]
    single = [each for each in map(_class, losses) if each is not None]
    met = set(single)
    if len(single) < SORTED * len(looks) or len(met) < 2 or _by_chance(losses) > CHANCE:
        return None
    labels = min(sum(loss.counts) for loss in losses)
    because = (
        f"each batch holds a single class: all labels are the same in {len(single)} of {len(looks)} looks, while "
        f"{count(len(met), 'class', 'classes')} come over the run. The data are sorted and not shuffled, so that each "
        "batch teaches the model to answer with its class, and the next one unteaches it."
    )
    evidence: Evidence = {
        "labels": labels, "classes": len(met), "single": len(single), "looks": len(looks),
    }  # fmt: skip
    where: Where = {"module": losses[-1].module, "site": site.name} if losses[-1].module else {"site": site.name}
    how = f"1 class in {percent(len(single) / len(looks))} ≥ {percent(SORTED)} of the looks; "
    how += f"by chance Σ p_c^{labels} = {figure(_by_chance(losses))} ≤ {CHANCE:g}"
    severity: Severity = "error" if site.gains_nothing else "warning"
    return RULE.finding(severity, where, evidence, because, (SHUFFLE.remedy(),), how)


def _class(loss: LossLook) -> int | None:
    """The class that all labels of a batch have; None where they differ, or are too few to tell."""
    present = [label for label, times in enumerate(loss.counts) if times]
    return present[0] if len(present) == 1 and sum(loss.counts) >= FEWEST_LABELS else None


def _by_chance(losses: Sequence[LossLook]) -> float:
    """How likely a batch of a single class is where batches are drawn at random from all labels that were met."""
    classes = max(len(loss.counts) for loss in losses)
    totals = [sum(loss.counts[c] for loss in losses if c < len(loss.counts)) for c in range(classes)]
    fewest = min(sum(loss.counts) for loss in losses)
    return float(sum((total / max(sum(totals), 1)) ** fewest for total in totals))


def _headline(_: Facts, finding: Finding) -> str:
    first = finding.because.split(". ", 1)[0]
    return first[:1].upper() + first[1:] + "."


RULE = Rule(
    code="GR704",
    slug="alike-batch",
    title="rows or labels of a batch all alike",
    severities=("error", "warning"),
    family="data",
    explain=Explanation(
        cause="A batch whose rows are all the same, as by an index that is never used, holds one example. A batch of a "
        "single class, as of data that are sorted by class and not shuffled, has a gradient that points to that "
        "class, whatever the input.",
        mathematics=(
            "x_i = x_1 for all i: one answer for all rows, and the best is the mean of their targets",
            "y_i = c for all i: ∂L/∂b = p − onehot(c), the same for every row",
        ),
        thresholds=f"In each of {FEWEST_LOOKS} looks or more: all data that the models are given are the same in every "
        "row of the batch, and the loss does not fall or rests; or a cross entropy is the only loss, and in "
        f"{percent(SORTED)} of the looks all its labels, {FEWEST_LABELS} or more, are one class, not always the same "
        f"one, where a batch drawn at random would be so with a probability of {CHANCE:g} at most. An error "
        "where the loss does not fall or rests. Lines that take turns are passed over, for adversaries see one class "
        "at a time.",
        remedies=(
            "shuffle=True: free.",
            "Look at one batch as the model gets it: a minute's work.",
        ),
        silence="Where classes come one after the other on purpose, as in continual learning.",
        references=("Bengio (2012): Practical recommendations for gradient-based training of deep architectures",),
    ),
    judge=judge,
    headline=_headline,
    urgency=1,
    zoo=("gr704_sorted_by_class", "gr704_same_row"),
)
