"""GR602: a loss that takes logits, or logarithms of probabilities, is given probabilities."""

from __future__ import annotations

import math

from gradreach.facts.alignments import OFF, AlignmentSeen
from gradreach.facts.facts import Facts
from gradreach.facts.losses import LossPart
from gradreach.facts.statistics import known, median
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.loss import LossLook
from gradreach.remedies.advice.raw_logits import RAW_LOGITS
from gradreach.remedies.advice.scale_logits import SCALE_LOGITS
from gradreach.rules.losses import NO_LOSS, headline, severity, where, whose
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome

PROBABILITIES = ("softmax", "sigmoid")
"""Operations whose results lie between 0 and 1."""

BOUNDED = {"softmax": (0.0, 1.0), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
"""What these can give as logits."""

TAKE_LOGARITHMS = {
    "negative log-likelihood": "negative log-likelihood",
    "divergence": "Kullback–Leibler divergence (`kl_div`)",
}
"""The losses that take logarithms of probabilities, in words."""

NO_LOGARITHM = 1e-3
"""A logarithm of a probability lies below 0; above this it is none, whatever the rounding."""


UNIT = 2.0
"""How far apart cosines lie at most."""

BOUND = 0.5
"""The least loss of logits within UNIT from which their bound is worth a word."""

LEVEL = 1.15
"""How much further apart the logits of the second half of the looks may lie than in the quarter before."""

NEAR = 0.25
"""Part of the way from the least loss up to that of a blind guess within which a loss counts as held up by it."""


def judge(facts: Facts) -> RuleOutcome:
    """Each cross entropy whose logits are probabilities, and each likelihood whose logarithms are none."""
    if not facts.seen.loss_parts and not facts.seen.alignments:
        return RuleOutcome(why_not=NO_LOSS)
    found = [part for part in facts.seen.loss_parts if _is_squashed(part) or is_no_logarithm(part)]
    close = [part for part in facts.seen.loss_parts if part not in found and _is_close(facts, part)]
    aligned = [each for each in facts.seen.alignments if each.not_log_probabilities]
    return RuleOutcome(
        (
            *(_finding(facts, part) for part in found),
            *(_of_cosines(facts, part) for part in close),
            *(_of_alignment(facts, each) for each in aligned),
        )
    )


def _is_squashed(part: LossPart) -> bool:
    if part.last.kind == "binary cross entropy on logits":
        return part.last.last in PROBABILITIES
    return part.last.kind == "cross entropy" and part.last.last in BOUNDED


def is_no_logarithm(part: LossPart) -> bool:
    """Whether a loss that takes logarithms was given what is not below 0, look after look."""
    highest = [seen.outputs.high for seen in part.looks if seen.outputs is not None]
    return part.last.kind in TAKE_LOGARITHMS and bool(highest) and min(highest) > NO_LOGARITHM


def least(seen: LossLook) -> float | None:
    """The lowest loss that is possible when every logit lies within what the operation gives; None where it has no
    such bound."""
    low, high = BOUNDED.get(seen.last, (-math.inf, math.inf))
    if seen.kind == "cross entropy" and len(seen.output_shape) > 1 and math.isfinite(high):
        classes = seen.output_shape[1]
        return math.log(math.exp(high) + (classes - 1) * math.exp(low)) - high
    if seen.kind == "binary cross entropy on logits" and seen.targets is not None:
        share = min(max(seen.targets.mean, 0.0), 1.0)
        return share * math.log1p(math.exp(-high)) + (1 - share) * math.log1p(math.exp(low))
    return None


def _least_of_cosines(classes: int) -> float:
    """The lowest cross entropy over logits that are cosines to one direction for each class (Wang and others 2017)."""
    return math.log1p((classes - 1) * math.exp(-classes / max(classes - 1, 1)))


def _last(facts: Facts, part: LossPart) -> float | None:
    site = facts.site(part.site)
    return site.of_batch(site.learning.last)


def _is_close(facts: Facts, part: LossPart) -> bool:
    """Whether the logits of a row never lie further apart than cosines can, nor grow any more, and hold the loss up."""
    apart, shape = known(seen.apart for seen in part.looks), part.last.output_shape
    loss, half = _last(facts, part), len(apart) // 2
    if part.last.kind != "cross entropy" or len(shape) < 2 or len(apart) < 2 * MIN_LOOKS or loss is None:
        return False
    if not 0.0 < max(apart) <= UNIT + 1e-3 or max(apart[half:]) > LEVEL * median(apart[half // 2 : half]):
        return False
    low, blind = _least_of_cosines(shape[1]), math.log(shape[1])
    return BOUND <= low <= loss + 1e-6 and loss <= low + NEAR * (blind - low)


def _of_cosines(facts: Facts, part: LossPart) -> Finding:
    seen, last = part.last, _last(facts, part)
    classes, widest = seen.output_shape[1], max(each.apart or 0.0 for each in part.looks)
    low = _least_of_cosines(classes)
    because = (
        f"The logits of a row, {whose(seen)}, never lie more than {figure(widest)} apart, as cosines do, and the loss "
        f"has come to {figure(last)}: over {classes} classes a cross entropy of cosines cannot go under {figure(low)}. "
        "The probabilities stay flat, however right the order of the classes is."
    )
    evidence: Evidence = {"apart": widest, "classes": classes, "least_loss": low, "looks": len(part.looks)}
    how = f"log(1 + (K − 1) exp(−K / (K − 1))), K = {classes}: {figure(last)} ≥ {figure(low)}"
    return RULE.finding("warning", where(facts, part), evidence, because, (SCALE_LOGITS.remedy(),), how)


def _of_alignment(facts: Facts, found: AlignmentSeen) -> Finding:
    site, looks, off = facts.site(found.site), found.not_log_probabilities, found.off
    seen = looks[-1]
    what = "probabilities themselves" if seen.are_shares else f"what a {seen.last} puts out, as it is"
    because = (
        f"The CTC loss takes logarithms of probabilities, and it is given {what}: their exponentials do not sum to 1, "
        f"the logarithm of the sum is {figure(off)} from 0 in the mean of all frames, in {count(len(looks), 'look')}. "
        "The loss may then fall below 0, and its slope is not that of what it comes to: torch takes for granted that a "
        "log_softmax stands before it."
    )
    evidence: Evidence = {"operation": seen.last, "off": off, "looks": len(looks)}
    how = f"|log Σ_k exp(x_k)| = {figure(off)} ≥ {figure(OFF)}, and 0 of logarithms of probabilities"
    serious: Severity = "warning" if site.learning.course in ("falls", "unknown") else "error"
    remedy = RAW_LOGITS.remedy("CTC loss", "", "")
    return RULE.finding(serious, {"site": site.name}, evidence, because, (remedy,), how)


def _finding(facts: Facts, part: LossPart) -> Finding:
    seen, low = part.last, least(part.last)
    if is_no_logarithm(part):
        high = seen.outputs.high if seen.outputs is not None else None
        because = (
            f"The {TAKE_LOGARITHMS[seen.kind]} takes logarithms of probabilities, and {whose(seen)} is none: it goes "
            f"up to {figure(high)}. The loss is then minus the output itself: it falls below 0 without end or to a "
            "bound, and its slope is the same for right and wrong."
        )
        how = f"log p ≤ 0, and the output reaches {figure(high)} > 0"
    else:
        name = "cross entropy" if seen.kind == "cross entropy" else "binary cross entropy"
        twice = "softmax" if seen.kind == "cross entropy" else "sigmoid"
        floor = f", so the loss cannot go under {figure(low)}" if low is not None else ""
        because = (
            f"The {name} takes logits and applies a {twice} of its own, and {whose(seen)} has been through a "
            f"{seen.last} already: what it is given lies between {figure(BOUNDED[seen.last][0])} and 1{floor}. The "
            "gradient goes through both, and is small wherever either is sure."
        )
        last = _last(facts, part)
        how = f"logits in [{figure(BOUNDED[seen.last][0])}, 1]: {figure(last)} ≥ {figure(low)}"
    evidence: Evidence = {"operation": seen.last, "least_loss": low, "looks": len(part.looks)}
    remedy = RAW_LOGITS.remedy(seen.kind, seen.last, seen.module)
    return RULE.finding(severity(facts, part), where(facts, part), evidence, because, (remedy,), how)


RULE = Rule(
    code="GR602",
    slug="probabilities-as-logits",
    title="logits and probabilities mixed up",
    severities=("error", "warning"),
    family="loss",
    explain=Explanation(
        cause="CrossEntropyLoss and BCEWithLogitsLoss hold the softmax or sigmoid themselves. A network that ends in "
        "one of its own is squashed twice: the loss sees numbers between 0 and 1, can never be sure, and sends little "
        "back. NLLLoss and KLDivLoss take logarithms of probabilities: given probabilities or raw outputs they have "
        "no logarithm at all, and CTCLoss takes a log_softmax before it for granted.",
        mathematics=(
            "K classes, logits in [0, 1]:   loss ≥ log(e + K − 1) − 1",
            "targets 1 in a share q:   loss ≥ q log(1 + 1/e) + (1 − q) log 2",
        ),
        thresholds="The last operation before a cross entropy on logits is a softmax, sigmoid or tanh, with nothing "
        "between but moves; or what a negative log-likelihood is given lies above 0 in every look; or what a "
        "divergence is given is a softmax or sigmoid itself; or a CTC loss is given probabilities, or a product with "
        f"weights as it is, and the logarithm of their exponentials' sum lies {OFF:g} or more from 0 in {MIN_LOOKS} "
        "looks. It is an error where the loss does not fall, a warning where it does. A warning too where the logits "
        f"of a row never lie more than {UNIT:g} apart, as cosines do, without growing any more, and the loss "
        "lies within a quarter of the lowest that cosines allow.",
        remedies=("The logits themselves: free; for probabilities apply the softmax at the time of use.",),
        silence="Where logits are bounded on purpose.",
        references=(
            "Goodfellow and others (2016): Deep Learning, section 6.2.2",
            "Wang and others (2017): NormFace: L2 hypersphere embedding for face verification",
        ),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    labels={"least_loss": "lowest loss possible"},
    zoo=("gr602_softmax_twice", "gr602_likelihood_of_scores", "gr602_divergence_of_shares", "gr602_cosines_as_logits"),
)
