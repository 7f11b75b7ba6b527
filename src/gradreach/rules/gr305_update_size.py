"""GR305: the updates replace the weights or leave them as they are, and the loss shows it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from gradreach.facts.depth import pull
from gradreach.facts.facts import Facts
from gradreach.facts.input_size import RAW
from gradreach.facts.site import Site
from gradreach.facts.statistics import is_positive, known, median, positive
from gradreach.facts.thresholds import Threshold
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure
from gradreach.record.look import Look
from gradreach.record.schema import Finding, Remedy
from gradreach.record.seen.depth import DepthLook
from gradreach.remedies.advice.average_passes import AVERAGE_PASSES
from gradreach.remedies.advice.lower_rate import LOWER_RATE
from gradreach.remedies.advice.raise_rate import RAISE_RATE
from gradreach.remedies.advice.scale_input import SCALE_INPUT
from gradreach.rules import formula
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

UPDATE_TOO_LARGE = Threshold(
    "update_too_large", 0.1, 0.01, 100.0, "‖Δw‖ / ‖w‖ from which updates replace what the weights held"
)
UPDATE_TOO_SMALL = Threshold("update_too_small", 1e-6, 1e-12, 0.01, "‖Δw‖ / ‖w‖ up to which updates change nothing")

REPLACED = 1.0
GROWN = 10.0
"""One update as large as the weights, after which they grew by this: the start was thrown away. Large updates make
large weights, so the ratio alone forgets what happened."""

LEVERAGE = 0.1
"""‖w‖·‖∂L/∂w‖ / |L| from which there is something to gain: a converged model lies below."""

SMALLEST_WEIGHT = 1e-3
"""Root mean square under which weights count as started at zero, where any update is large beside them."""

USUAL, USUAL_FIRST = 1e-3, 1e-2
"""‖Δw‖ / ‖w‖ of ordinary training, and of its first update."""

GROWS = 2.0
"""Powers of ten by which a gradient grows on its way back, through time or depth, that forbid a higher rate."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line that calls backward at which enough updates were seen."""
    sites: dict[int, list[Look]] = {}
    for look in facts.seen.looks:
        if positive(seen.update_ratio for seen in look.depth):
            sites.setdefault(look.site, []).append(look)
    sites = {site: looks for site, looks in sites.items() if len(looks) >= MIN_LOOKS}
    if not sites:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS} looks saw an update")
    started = {site: looks for site, looks in sites.items() if not facts.starts_at_zero(site)}  # else see GR307
    found = (_judge_site(facts, facts.site(site), looks) for site, looks in started.items())
    return RuleOutcome(tuple(finding for finding in found if finding is not None))


def _judge_site(facts: Facts, site: Site, looks: Sequence[Look]) -> Finding | None:
    modules = _modules(looks)
    if site.stalled or site.worse_than_at_first:
        limit = facts.thresholds[UPDATE_TOO_LARGE]
        large = {name: seen for name, seen in modules.items() if _is_too_large(seen, limit)}
        if large and _is_thrown_away(modules) and not _is_fed_raw(facts, modules):
            return _thrown_away(facts, site, modules)
        if large:
            return _too_large(facts, site, large, limit)
    if not site.stalled or _grows_somewhere(facts, site):
        return None
    limit = facts.thresholds[UPDATE_TOO_SMALL]
    largest = max((median(_ratios(seen)) for seen in modules.values()), default=1.0)
    return _too_small(site, largest, looks, limit) if largest <= limit and _could_gain(site, looks) else None


def _grows_somewhere(facts: Facts, site: Site) -> bool:
    """Whether the gradient grows through time or depth there, or the norm blew up: no higher rate then."""
    if facts.blow_up is not None and facts.blow_up.site == site.number:
        return True
    if any(trend.decades <= -GROWS for trend in facts.seen.trends.get(site.number, ())):
        return True
    layers = (looks[-1] for key, looks in facts.seen.layers.items() if key.site == site.number)
    return any(is_positive(r) and r >= 10.0**GROWS for seen in layers for r in seen.reach)


def _modules(looks: Sequence[Look]) -> dict[str, list[DepthLook]]:
    """The looks at each module that was updated, without normalisation layers and those started at zero."""
    modules: dict[str, list[DepthLook]] = {}
    for look in looks:
        for seen in look.depth:
            if is_positive(seen.update_ratio) and is_positive(seen.weight_norm) and "Norm" not in seen.kind:
                modules.setdefault(seen.module, []).append(seen)
    return {
        name: seen
        for name, seen in modules.items()
        if len(seen) >= MIN_LOOKS and _weight_rms(seen[0]) >= SMALLEST_WEIGHT
    }


def _weight_rms(seen: DepthLook) -> float:
    return float((seen.weight_norm or 0.0) / max(seen.parameters, 1) ** 0.5)


def _ratios(looks: Sequence[DepthLook]) -> list[float]:
    return positive(seen.update_ratio for seen in looks)


def _norms(looks: Sequence[DepthLook]) -> list[float]:
    return positive(seen.weight_norm for seen in looks)


def large_before(facts: Facts, number: int, step: int) -> tuple[str, float] | None:
    """The module that changed most, and its median update, where updates at a line were too large in the first half of
    the steps until this one: before a norm that was largest there had grown. None where they were not."""
    begin = facts.site(number).steps[0].step
    looks = [look for look in facts.seen.looks if look.site == number and 2 * (look.step - begin) <= step - begin]
    sizes = {name: median(_ratios(seen)) for name, seen in _modules(looks).items()}
    worst = max(sizes, key=sizes.__getitem__, default="")
    return (worst, sizes[worst]) if worst and sizes[worst] >= facts.thresholds[UPDATE_TOO_LARGE] else None


def _is_too_large(looks: Sequence[DepthLook], limit: float) -> bool:
    ratios, norms = _ratios(looks), _norms(looks)
    return median(ratios) >= limit or (max(ratios) >= REPLACED and norms[-1] >= GROWN * norms[0])


def _is_thrown_away(modules: Mapping[str, Sequence[DepthLook]]) -> bool:
    """Whether the first update that was seen replaced most of the modules."""
    replaced = [seen for seen in modules.values() if _ratios(seen)[0] >= REPLACED]
    return 2 * len(replaced) > len(modules)


def _is_fed_raw(facts: Facts, modules: Iterable[str]) -> bool:
    """Whether the size of an input is what made the update large: then that is the cause, and has a rule of its own."""
    return any(facts.seen.input_sizes.get(root, 0.0) >= RAW for root in map(facts.seen.root_of, modules))


def _could_gain(site: Site, looks: Sequence[Look]) -> bool:
    losses = [abs(loss) for loss in site.losses]
    pulls = [max(known(map(pull, look.depth)), default=None) for look in looks]
    return bool(losses) and median(known(pulls) or [0.0]) >= LEVERAGE * median(losses)


def _too_large(facts: Facts, site: Site, large: Mapping[str, Sequence[DepthLook]], limit: float) -> Finding:
    worst = max(large, key=lambda name: max(_ratios(large[name])))
    looks = large[worst]
    ratios, norms = _ratios(looks), _norms(looks)
    usual, largest = median(ratios), max(ratios)
    because = (
        f"an update changes `{worst}` by {figure(usual)} of its size in the median, {figure(largest)} at most, where "
        f"1e-3 is usual; ‖w‖ went from {figure(norms[0])} to {figure(norms[-1])}, and the loss does not fall."
    )
    evidence: Evidence = {
        "update_size": usual, "largest_update_size": largest, "weight_norm_first": norms[0],
        "weight_norm_last": norms[-1], "modules": len(large), "looks": len(looks),
    }  # fmt: skip
    how = f"‖Δw‖ / ‖w‖ = {figure(usual)} ≥ {limit:g}: {formula.quotient(1.0, usual)} updates replace the weights"
    if usual < limit:
        how = f"max ‖Δw‖ / ‖w‖ = {figure(largest)} ≥ {REPLACED:g}; "
        how += f"‖w‖ / ‖w‖ at first = {formula.quotient(norms[-1], norms[0])} ≥ {GROWN:g}"
    lower = LOWER_RATE.remedy(10.0)
    remedies = (*_averaged(facts, site), lower, SCALE_INPUT.remedy(facts.seen.root_of(worst)))
    where: Where = {"module": worst, "kind": looks[-1].kind, "site": site.name}
    return RULE.finding("warning", where, evidence, because, remedies, how)


def _thrown_away(facts: Facts, site: Site, modules: Mapping[str, Sequence[DepthLook]]) -> Finding:
    """What the first update did: whatever saturates or dies after it does so for that."""
    first = {name: _ratios(seen)[0] for name, seen in modules.items()}
    worst = max(first, key=first.__getitem__)
    norms, most = _norms(modules[worst]), sum(ratio >= REPLACED for ratio in first.values())
    because = (
        f"the first update that was seen changed `{worst}` by {figure(first[worst])} times its size, and {most} of "
        f"{count(len(first), 'module')} by all that they held or more: where the training was to start from is gone. "
        f"‖w‖ went from {figure(norms[0])} to {figure(norms[-1])}, and the loss does not fall."
    )
    evidence: Evidence = {
        "update_size": median(_ratios(modules[worst])), "largest_update_size": first[worst],
        "weight_norm_first": norms[0], "weight_norm_last": norms[-1], "modules": most, "looks": len(modules[worst]),
    }  # fmt: skip
    how = f"‖Δw‖ / ‖w‖ = {figure(first[worst])} ≥ {REPLACED:g}, in {most} of {len(first)} modules"
    smaller = 10 ** round(math.log10(first[worst] / USUAL_FIRST))
    why = f"the first update is to be some {smaller:,} times smaller; 1e-3 is an ordinary rate for Adam and its kin"
    lower = LOWER_RATE.remedy_because(why, 10.0)
    remedies = (*_averaged(facts, site), lower, SCALE_INPUT.remedy(facts.seen.root_of(worst)))
    where: Where = {"module": worst, "kind": modules[worst][-1].kind, "site": site.name}
    return RULE.finding("error", where, evidence, because, remedies, how)


def _averaged(facts: Facts, site: Site) -> tuple[Remedy, ...]:
    """Where several passes make an update that is as long as the sum of their gradients: the mean of them."""
    is_sum = facts.accumulation is not None and facts.updates[site.number].follow_size
    return (AVERAGE_PASSES.remedy(),) if is_sum else ()


def _headline(_: Facts, finding: Finding) -> str:
    change, *size = finding.because.split(" ‖w‖ went", 1)
    said = f"{change.rstrip('.')}, and the loss does not fall." if size else change
    return f"{said[:1].upper()}{said[1:]}"


def _too_small(site: Site, ratio: float, looks: Sequence[Look], limit: float) -> Finding:
    because = (
        f"an update changes the weights by {figure(ratio)} of their size in the median, where 1e-3 is usual: "
        f"{figure(1 / ratio)} steps for a change of their own size, while the gradient still asks for one and the loss "
        "does not fall."
    )
    remedy = RAISE_RATE.remedy(USUAL / ratio)
    evidence: Evidence = {"update_size": ratio, "looks": len(looks)}
    how = f"‖Δw‖ / ‖w‖ = {figure(ratio)} ≤ {figure(limit)}: {formula.quotient(1.0, ratio)} updates to move w by its "
    how += "size"
    return RULE.finding("warning", {"site": site.name}, evidence, because, (remedy,), how)


RULE = Rule(
    code="GR305",
    slug="update-size",
    title="update far too large or too small for the weights",
    severities=("error", "warning"),
    family="step",
    explain=Explanation(
        cause="The learning rate does not fit the weights' size: either each update overwrites what was learned, or "
        "it changes nothing.",
        mathematics=("‖Δw‖ / ‖w‖ per module and update: about 1e-3 in ordinary training",),
        thresholds=f"Per module, on the median of {MIN_LOOKS} looks or more; normalisation layers and weights that "
        "start at zero are left out, for any update is large beside them. Too large: from "
        f"‖Δw‖ / ‖w‖ = {UPDATE_TOO_LARGE.default:g}, with which ten updates replace the weights, or once {REPLACED:g} "
        f"with weights that then grew {GROWN:g}-fold; and a loss that stands still or ends above where it began. It is "
        f"an error where the first update that was seen was {REPLACED:g} or more in most of the modules, which take in "
        f"no data of {RAW:g} or more. Too "
        f"small: up to {figure(UPDATE_TOO_SMALL.default)} even for the module that moves most, a million updates for a "
        "change of the weights by their own size; a loss that certainly does not fall, and a gradient with ‖w‖·‖∂L/∂w‖ "
        f"of {LEVERAGE:g} of the loss or more: with a model at its optimum there is nothing to gain, and where "
        "the gradient grows a hundredfold through time or depth a higher rate would wreck the run.",
        remedies=(
            "Divide the loss by the number of passes, where SGD steps by the sum of several: free.",
            "Change the rate by ten, and again while the loss shows the same: free.",
            "Scale the input, where its size is what makes the updates large: free.",
        ),
        silence="For fine-tuning that is meant to move weights by a hair.",
        references=(
            "Bottou (2012): Stochastic gradient descent tricks",
            "You, Gitman, Ginsburg (2017): Large batch training of convolutional networks",
        ),
    ),
    judge=judge,
    thresholds=(UPDATE_TOO_LARGE, UPDATE_TOO_SMALL),
    headline=_headline,
    effects=("GR103", "GR203", "GR204", "GR307"),
    is_cause=lambda finding: finding.severity == "error",
    zoo=("gr305_too_large", "gr305_too_small"),
)
