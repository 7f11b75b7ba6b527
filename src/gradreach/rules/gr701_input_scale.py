"""GR701: data out of scale go into a model, and harm is seen that comes of it; or some rows tower above the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gradreach.facts.facts import Facts
from gradreach.facts.input_size import LOST, RAW, SMALL, TOWERING, LargeRows
from gradreach.facts.losses import LITTLE, part_of_guess
from gradreach.facts.site import Site
from gradreach.facts.statistics import is_positive
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import capital, figure, percent
from gradreach.record.schema import SEVERITIES, Finding, Severity
from gradreach.record.seen.data import GivenData
from gradreach.remedies.advice.floor_scale import FLOOR_SCALE
from gradreach.remedies.advice.scale_input import SCALE_INPUT
from gradreach.remedies.advice.scale_target import SCALE_TARGET
from gradreach.rules import (
    formula,
    gr103_recurrent_saturated,
    gr203_saturated,
    gr204_dead_units,
    gr304_exploding_unclipped,
    gr305_update_size,
    gr307_zero_gradient,
)
from gradreach.rules.references import GLOROT
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

FAR_OUT = 3.0
"""Deviations of the targets by which the mean of the outputs lies off where these have not reached them at all."""

UNEVEN = 100.0
"""A feature so many times larger than the median one drowns the others: the weights of all start alike."""

REPLACED = 1.0
"""‖Δw‖ / ‖w‖ from which the first update throws the start away."""

_LITTLE = "is little lower than what a constant guess gets"

POOR = ("does not fall", "rises", "rises again", "hardly falls")

_Course = Literal["learns", "poor", "little", "stalled"]


@dataclass(frozen=True, slots=True)
class _Effect:
    """What out-of-scale data did: in words, how serious it is, and the code that tells of it."""

    words: str
    severity: Severity
    code: str = ""


def judge(facts: Facts) -> RuleOutcome:
    """Each model that takes in data out of scale and suffers from it."""
    if not facts.seen.given_data and not any(look.losses for look in facts.seen.looks):
        return RuleOutcome(why_not="no layer was seen to take in data of the script's own, and no target")
    uneven = facts.seen.large_rows
    raw = {root: each for root, each in facts.seen.given_data.items() if root not in uneven and _is_out_of_scale(each)}
    found: list[Finding | None] = [_some_rows(facts, root, rows) for root, rows in uneven.items()]
    found += [_finding(facts, root, given) for root, given in raw.items()]
    found += [_lost(facts, root, given) for root, given in facts.seen.lost_data.items()]
    found += [_far_targets(facts, site) for site in facts.sites]
    return RuleOutcome(tuple(each for each in found if each is not None))


def _is_out_of_scale(given: GivenData) -> bool:
    return given.rms >= RAW or _is_uneven(given)


def _is_uneven(given: GivenData) -> bool:
    return given.largest >= RAW and given.middle > 0 and given.largest >= UNEVEN * given.middle


def _finding(facts: Facts, root: str, given: GivenData) -> Finding | None:
    effects, course = list(_effects(facts, root, given.module)), _course(facts, root)
    severity = _severity(effects, course)
    if severity is None:
        return None
    uneven = ""
    if _is_uneven(given):
        other = "the other" if given.features == 2 else "the median one"
        uneven = f", one of {given.features} features {figure(given.largest / given.middle)} times {other}"
    because = (
        f"`{given.module}` takes in data that are not scaled: {_chain(effects, course)}. They are of size "
        f"{figure(given.rms)} (root mean square){uneven}, and weights start for inputs of size 1."
    )
    evidence: Evidence = {
        "input_rms": given.rms, "largest_feature": given.largest, "middle_feature": given.middle,
        "features": given.features,
        "effects": ", ".join(dict.fromkeys(each.code for each in effects if each.code)) or None,
    }  # fmt: skip
    how = f"rms(x) = {figure(given.rms)} ≥ {RAW:g}"
    if given.rms < RAW:
        how = f"rms(x_i) / median rms(x_i) = {formula.quotient(given.largest, given.middle)} ≥ {UNEVEN:g}"
    where: Where = {"module": given.module, "kind": given.kind}
    remedies = (SCALE_INPUT.remedy(root, _is_uneven(given)),)
    return RULE.finding(severity, where, evidence, because, remedies, how)


def _some_rows(facts: Facts, root: str, rows: LargeRows) -> Finding:
    """Some rows that tower above the others: a warning whatever the loss does, an error where it is held up."""
    given, course, effects = rows.given, _course(facts, root), list(_effects(facts, root, rows.given.module))
    is_error = course in ("stalled", "little") or _severity(effects, course) == "error"
    loss = {"little": f"The loss {_LITTLE}. ", "stalled": "The loss does not fall. "}.get(course, "")
    because = (
        f"`{given.module}` takes in some rows that tower above the others, in {rows.looks} of {rows.of} looks: in the "
        f"last of these one is of size {figure(rows.row)} (root mean square), and the median one of size "
        f"{figure(rows.other)}. Such rows make up all of the layer's gradient, or none of it where units saturate on "
        f"them. {loss}As a rule they come of a division by a scale that is 0 or next to 0 (of an empty history, "
        "or of a constant feature), or of a number that stands for a missing value."
    )
    evidence: Evidence = {
        "largest_row": rows.row, "middle_row": rows.other, "looks_with_large_rows": rows.looks, "looks": rows.of,
        "effects": ", ".join(dict.fromkeys(each.code for each in effects if each.code)) or None,
    }  # fmt: skip
    where: Where = {"module": given.module, "kind": given.kind}
    how = (
        f"rms(x_r) = {figure(rows.row)} ≥ {TOWERING:g};   "
        f"rms(x_r) / median rms(x_r) = {formula.quotient(rows.row, rows.other)} ≥ {TOWERING:g}"
    )
    remedy = FLOOR_SCALE.remedy(given.module, (rows.row * rows.other) ** 0.5)
    return RULE.finding("error" if is_error else "warning", where, evidence, because, (remedy,), how)


def _lost(facts: Facts, root: str, given: GivenData) -> Finding | None:
    """Data so small that a layer's bias drowns them, where the loss does not fall or comes little below a guess."""
    course, left = _course(facts, root), given.apart_out or 0.0
    if course == "learns":
        return None
    because = (
        f"`{given.module}` takes in data so small that they are lost beside its bias, and the loss "
        f"{_LITTLE if course == 'little' else 'does not fall'}. They are of size {figure(given.rms)} (root mean "
        f"square), where weights start for inputs of size 1, and only {percent(left)} of what it puts out differs from "
        "row to row."
    )
    evidence: Evidence = {
        "input_rms": given.rms, "input_apart": given.apart_in, "output_apart": left, "features": given.features,
    }  # fmt: skip
    where: Where = {"module": given.module, "kind": given.kind}
    how = f"rms(x) = {figure(given.rms)} ≤ {SMALL:g};   std(W x + b) / rms(W x + b) = {figure(left)} ≤ {LOST:g}"
    remedy = SCALE_INPUT.remedy_because("inputs of size 1 stand out beside the bias", root)
    return RULE.finding("warning" if course == "little" else "error", where, evidence, because, (remedy,), how)


def _far_targets(facts: Facts, site: Site) -> Finding | None:
    """Targets so far out that the output of the model has not come half of the way to them by the end of the run."""
    losses = [look.losses[0] for look in facts.seen.looks if look.site == site.number and len(look.losses) == 1]
    pairs = [(each.outputs, each.targets) for each in losses if each.kind in ("squared error", "absolute error")]
    known = [(output, target) for output, target in pairs if output is not None and target is not None]
    hardly = site.stalled or site.learning.course in ("does not fall", "hardly falls")
    if len(known) < MIN_LOOKS or site.need_not_fall or not hardly:
        return None
    (first, aim), (last, target) = known[0], known[-1]
    away, before = abs(last.mean - target.mean), abs(first.mean - aim.mean)
    if abs(target.mean) < RAW or away < FAR_OUT * target.deviation or away < before / 2:
        return None
    because = (
        f"the targets are of size {figure(abs(target.mean))}, where the output of a model starts about 1: by the last "
        f"look its mean has come from {figure(first.mean)} to {figure(last.mean)}, on the way to {figure(target.mean)}."
    )
    evidence: Evidence = {
        "target_mean": target.mean, "target_deviation": target.deviation, "output_first": first.mean,
        "output_last": last.mean, "looks": len(known),
    }  # fmt: skip
    module = losses[-1].module
    where: Where = {"module": module, "site": site.name} if module else {"site": site.name}
    how = f"|mean y| = {figure(abs(target.mean))} ≥ {RAW:g}; |mean ŷ − mean y| = {figure(away)}"
    return RULE.finding("error", where, evidence, because, (SCALE_TARGET.remedy(),), how)


def _chain(effects: Sequence[_Effect], course: _Course) -> str:
    """From the cause to what was seen of its effects; without one of these the loss alone is told of."""
    if not effects:
        return f"the loss {_LITTLE if course == 'little' else 'does not fall'}"
    steps = ["unscaled inputs", *dict.fromkeys(each.words for each in effects)]
    ends = {"learns": [], "little": ["little learning"]}.get(course, ["no learning"])
    return " → ".join([*steps, *ends])


def _severity(effects: Sequence[_Effect], course: _Course) -> Severity | None:
    """As serious as what comes of it; an error where it is known how, and nothing is learned."""
    if course == "little":
        return "warning"
    if course != "learns":
        return "error" if effects else "warning" if course == "stalled" else None
    serious = [each.severity for each in effects if each.severity != "info"]
    return min(serious, key=SEVERITIES.index, default=None)


def _course(facts: Facts, root: str) -> _Course:
    """Whether the loss at a line that trains this model surely does not fall, ends little lower than what a constant
    guess gets, or hardly lower than it began."""
    sites = [site for site in facts.sites if root in facts.seen.models_at(site.number) and not site.need_not_fall]
    if any(site.stalled and site.learning.course == "does not fall" for site in sites):
        return "stalled"
    parts = [(site, part) for site in sites for part in facts.seen.loss_parts if part.site == site.number]
    if any((part_of_guess(site, part) or 0.0) >= LITTLE for site, part in parts):
        return "little"
    poor = any(site.stalled or site.learning.course in POOR for site in sites)
    return "poor" if poor or facts.broke_by_growth else "learns"


def _effects(facts: Facts, root: str, module: str) -> Iterator[_Effect]:
    """What data out of scale do to a model, as far as it was found there, in the order of cause and effect."""
    ratios = (each.update_ratio for look in facts.record.looks for each in look.depth if each.module == module)
    first = next(ratios, None)
    threw_away = is_positive(first) and first >= REPLACED
    update = f"a first update {figure(first)} times the weights"
    if threw_away:
        yield _Effect(update, "info")
    for words, judge_one in EFFECTS.items():
        for found in judge_one(facts).findings:
            if _is_of(facts, found, root):
                yield _Effect(update if threw_away and found.code == "GR305" else words, found.severity, found.code)
    blow_up = facts.blow_up
    grew = blow_up is not None and root in facts.seen.models_at(blow_up.site)
    if grew:
        unclipped = gr304_exploding_unclipped.judge(facts).findings
        yield _Effect("norms that explode", unclipped[0].severity if unclipped else "info")
    if facts.broke_by_growth and (grew or threw_away):
        yield _Effect("overflow", "error")


def _is_of(facts: Facts, found: Finding, root: str) -> bool:
    """Whether a finding is one of this root that the size of its input may bring about."""
    of_root = facts.seen.root_of(str(found.where.get("module", ""))) == root
    if found.code == "GR307":
        return of_root and found.evidence.get("why") in ("saturated", "off", "unknown", "underflow")
    return of_root and (found.code != "GR305" or SCALE_INPUT.id in [remedy.id for remedy in found.remedies])


EFFECTS: Mapping[str, Callable[[Facts], RuleOutcome]] = {
    "saturated units": gr203_saturated.judge,
    "saturated recurrent units": gr103_recurrent_saturated.judge,
    "dead units": gr204_dead_units.judge,
    "updates that replace the weights": gr305_update_size.judge,
    "a gradient of exactly 0": gr307_zero_gradient.judge,
}
"""What comes of data out of scale, in words, and the rule that tells of it."""


def _headline(_: Facts, finding: Finding) -> str:
    return capital(finding.because)


RULE = Rule(
    code="GR701",
    slug="input-scale",
    title="inputs or targets out of scale",
    severities=("error", "warning"),
    family="data",
    explain=Explanation(
        cause="Weights start for inputs of size 1. Inputs a hundred times as large make sums a hundred times as large, "
        "which saturate tanh and logistic units or push ReLU units below zero for good, and gradients a hundred times "
        "as large, whose first update replaces the weights. One feature much larger than the others is all that a "
        "layer sees of them, and one row much larger than the others is all that its batch trains.",
        mathematics=(
            "rms(W x) = ‖W‖ / √units · rms(x)",
            "∂L/∂W = Σ δ xᵀ, so that the best rate falls with rms(x)²",
            "tanh′(a) = 1 − tanh²(a) → 0 as |a| grows",
        ),
        thresholds=f"The data that a layer with weights is given have a root mean square of {RAW:g} or more, or one "
        f"feature of that size is {UNEVEN:g} times the median one; and something comes of it: units that saturate or "
        "die, a gradient of exactly 0, updates that replace the weights, norms that explode, or a loss that does not "
        "fall. It is as serious as the worst of these, and an error where one is found and the loss ends no lower. "
        "It speaks as well where the mean of the targets of a regression is of that size, the loss hardly falls, and "
        f"the mean of the outputs has not come half of the way and lies {FAR_OUT:g} deviations off. "
        f"And it speaks where data of size {SMALL:g} or less go into a layer whose output differs by {LOST:g} of its "
        f"size or less from row to row, in {MIN_LOOKS} looks and in all, and the loss does not fall: beside the bias "
        "nothing of them is left. "
        "It speaks as well, whatever the loss does, where some rows tower above the others: in more than half of the "
        f"looks at a layer, {MIN_LOOKS} or more and one of the first {MIN_LOOKS} among them, the largest row that the "
        f"loss reads is of size {TOWERING:g} or more and as many times the median one of those that are not all 0, and "
        "no norm of rows stands in the model. That is an error where the loss does not fall or ends little lower than "
        "what a constant guess gets. "
        "Ids are no sizes, and layers that normalise what they take in are passed over.",
        remedies=(
            "Scale each feature to mean 0 and deviation 1, by figures of the training data: free.",
            "Scale the targets alike, and what the model puts out back: free.",
            "Divide rows by a scale with a floor, and leave out numbers that stand for a missing value: free.",
            "BatchNorm or LayerNorm before the first layer: adds work to each step, and statistics of the batch.",
        ),
        silence="Where large values are rare and mean something, take the logarithm instead.",
        references=(
            "LeCun, Bottou, Orr, Mueller (1998): Efficient BackProp",
            GLOROT,
        ),
    ),
    judge=judge,
    headline=_headline,
    urgency=-1,
    labels={
        "input_rms": "rms of the input", "input_apart": "input's deviation over its rms",
        "output_apart": "output's deviation over its rms", "largest_feature": "rms of the largest feature",
        "middle_feature": "median rms of the features",
        "largest_row": "rms of the largest row", "middle_row": "median rms of the rows",
        "target_mean": "mean of the targets",
        "output_first": "mean of the outputs at first",
        "output_last": "mean of the outputs at last",
    },
    zoo=("gr701_raw_columns", "gr701_uneven_features", "gr701_raw_targets", "gr701_scaled_twice",
        "gr701_empty_histories", "gr701_missing_as_number"),
)  # fmt: skip
