"""Rules on what the steps do to the weights: GR305 and GR306, of the step family."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from gradreach.facts.course import (
    MIN_LOOKS,
    root_of,
    site_name,
    sound_looks,
    sound_losses,
    stalled,
    worse_than_at_first,
)
from gradreach.facts.legacy_thresholds import DEFAULT, Thresholds
from gradreach.facts.statistics import is_positive, known, median, positive, shown
from gradreach.record.schema import DepthLook, Finding, Look, Record, Remedy
from gradreach.rules import formula
from gradreach.rules.remedy import expression
from gradreach.rules.rule import Evidence, Explain, Judged, Rule, Where

REPLACED = 1.0
GROWN = 10.0
"""One update as large as the weights, after which they grew by this: the start was thrown away. Large updates make
large weights, so the ratio alone forgets what happened."""

LEVERAGE = 0.1
"""‖w‖·‖∂L/∂w‖ / |L| from which there is something to gain: a converged model lies below."""

MANY_LOOKS = 20
"""Looks at which a part that is picked one time in four has been picked but for 3 chances in a thousand."""

SMALLEST_WEIGHT = 1e-3
"""Root mean square under which weights count as started at zero, where any update is large beside them."""


def updates(record: Record, thresholds: Thresholds) -> Judged:
    """GR305: the updates replace the weights or leave them as they are, and the loss shows it."""
    sites: dict[int, list[Look]] = defaultdict(list)
    for look in sound_looks(record):
        if positive(seen.update_ratio for seen in look.depth):
            sites[look.site].append(look)
    sites = {site: looks for site, looks in sites.items() if len(looks) >= MIN_LOOKS}
    if not sites:
        return Judged(why_not=f"fewer than {MIN_LOOKS} looks saw an update")
    found = [finding for site, looks in sites.items() for finding in _judge(record, site, looks, thresholds)]
    return Judged(tuple(found))


def _judge(record: Record, site: int, looks: Sequence[Look], thresholds: Thresholds) -> list[Finding]:
    modules = _modules(looks)
    slow = stalled(record, site)
    if slow or worse_than_at_first(record, site):
        large = {name: seen for name, seen in modules.items() if _is_too_large(seen, thresholds.update_too_large)}
        if large:
            worst = max(large, key=lambda name: max(positive(s.update_ratio for s in large[name])))
            return [_too_large(record, site, worst, large, thresholds.update_too_large)]
    if not slow:
        return []
    largest = max((median(positive(s.update_ratio for s in seen)) for seen in modules.values()), default=1.0)
    if largest <= thresholds.update_too_small and _could_gain(record, site, looks):
        return [_too_small(record, site, largest, looks, thresholds.update_too_small)]
    return []


def _modules(looks: Sequence[Look]) -> dict[str, list[DepthLook]]:
    """The looks at each module that was updated, without normalisation layers and those started at zero."""
    modules: dict[str, list[DepthLook]] = defaultdict(list)
    for look in looks:
        for seen in look.depth:
            if is_positive(seen.update_ratio) and is_positive(seen.weight_norm) and "Norm" not in seen.kind:
                modules[seen.module].append(seen)
    return {
        name: seen
        for name, seen in modules.items()
        if len(seen) >= MIN_LOOKS and _weight_rms(seen[0]) >= SMALLEST_WEIGHT
    }


def _weight_rms(seen: DepthLook) -> float:
    return float((seen.weight_norm or 0.0) / max(seen.parameters, 1) ** 0.5)


def _is_too_large(seen: Sequence[DepthLook], limit: float) -> bool:
    ratios = positive(each.update_ratio for each in seen)
    norms = positive(each.weight_norm for each in seen)
    return median(ratios) >= limit or (max(ratios) >= REPLACED and norms[-1] >= GROWN * norms[0])


def _could_gain(record: Record, site: int, looks: Sequence[Look]) -> bool:
    losses = [abs(loss) for loss in sound_losses(record, site)]
    pulls = [max(known(map(_pull, look.depth)), default=None) for look in looks]
    return bool(losses) and median(known(pulls) or [0.0]) >= LEVERAGE * median(losses)


def _pull(seen: DepthLook) -> float | None:
    """‖w‖·‖∂L/∂w‖, the change of the loss per relative change of the weights; None where either is unknown."""
    if seen.weight_norm is None or seen.weight_grad_norm is None:
        return None
    return seen.weight_norm * seen.weight_grad_norm


def _too_large(record: Record, site: int, worst: str, large: dict[str, list[DepthLook]], limit: float) -> Finding:
    seen = large[worst]
    ratios = positive(each.update_ratio for each in seen)
    norms = positive(each.weight_norm for each in seen)
    because = (
        f"an update changes `{worst}` by {shown(median(ratios))} of its size, {shown(max(ratios))} at most, where "
        f"1e-3 is usual; ‖w‖ went from {shown(norms[0])} to {shown(norms[-1])}, and the loss does not fall."
    )
    evidence: Evidence = {
        "update_size": median(ratios), "largest_update_size": max(ratios), "weight_norm_first": norms[0],
        "weight_norm_last": norms[-1], "modules": len(large), "looks": len(seen),
    }  # fmt: skip
    usual, largest = median(ratios), max(ratios)
    how = f"‖Δw‖ / ‖w‖ = {shown(usual)} ≥ {limit:g}: {formula.quotient(1.0, usual)} updates replace the weights"
    if usual < limit:
        how = f"max ‖Δw‖ / ‖w‖ = {shown(largest)} ≥ {REPLACED:g}; "
        how += f"‖w‖ / ‖w‖ at first = {formula.quotient(norms[-1], norms[0])} ≥ {GROWN:g}"
    factor = 10.0 if median(ratios) < limit else max(10.0, median(ratios) / 1e-3)
    remedy = Remedy("lower-rate", f"lr = lr / {shown(factor)}", "brings the update near a thousandth of the weights")
    warm = Remedy(
        "warm-up", "torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=500)", "spares the first steps"
    )
    where: Where = {"module": worst, "kind": seen[-1].kind, "site": site_name(record, site)}
    return Finding("GR305", "warning", UPDATES.title, where, evidence, because, (remedy, warm), how)


def _too_small(record: Record, site: int, ratio: float, looks: Sequence[Look], limit: float) -> Finding:
    because = (
        f"an update changes the weights by {shown(ratio)} of their size, where 1e-3 is usual: {shown(1 / ratio)} "
        "steps for a change of their own size, while the gradient still asks for one and the loss does not fall."
    )
    remedy = Remedy(
        "raise-rate", f"lr = lr * {shown(min(1e-3 / ratio, 1e6))}", "brings the update near a thousandth of the weights"
    )
    evidence: Evidence = {"update_size": ratio, "looks": len(looks)}
    where: Where = {"site": site_name(record, site)}
    how = f"‖Δw‖ / ‖w‖ = {shown(ratio)} ≤ {shown(limit)}: {formula.quotient(1.0, ratio)} updates to move w by its size"
    return Finding("GR305", "warning", UPDATES.title, where, evidence, because, (remedy,), how)


def untouched(record: Record, _thresholds: Thresholds) -> Judged:
    """GR306: trainable parameters without a gradient in every look at which their model ran."""
    ran: dict[str, list[Look]] = defaultdict(list)
    roots = {
        module: root_of(record, module) for module in {seen.module for look in record.looks for seen in look.depth}
    }
    for look in record.looks:
        for root in {roots[seen.module] for seen in look.depth}:
            ran[root].append(look)
    if not any(len(looks) >= MIN_LOOKS for looks in ran.values()):
        return Judged(why_not=f"no model was watched {MIN_LOOKS} times")
    names = dict.fromkeys(name for look in record.looks for name in look.without_gradient)
    lost = [name for name in names if _never(name, ran.get(root_of(record, name), []))]
    groups: dict[str, list[str]] = defaultdict(list)
    lacking = {name.rpartition(".")[0] for name in lost}
    reached = {s.module for look in record.looks for s in look.depth if s.parameters and s.module not in lacking}
    reached |= {s.module for look in record.looks for s in look.depth if s.weight_grad_norm is not None}
    for name in lost:
        groups[_branch(record, name, reached)].append(name)
    return Judged(tuple(_untouched(record, group, members, ran) for group, members in groups.items()))


def _never(name: str, looks: Sequence[Look]) -> bool:
    """Whether no look saw a gradient; only many looks can tell of an uncalled part of a model that picks its parts."""
    if len(looks) < MIN_LOOKS or not all(name in look.without_gradient for look in looks):
        return False
    owner = name.rpartition(".")[0]
    called = any(seen.module == owner for look in looks for seen in look.depth)
    return called or len(looks) >= MANY_LOOKS or not _picks_parts(looks)


def _picks_parts(looks: Sequence[Look]) -> bool:
    """Whether a parameter has a gradient at some looks of one place and none at others: experts, layers left out."""
    by_site: dict[int, list[set[str]]] = defaultdict(list)
    for look in looks:
        by_site[look.site].append(set(look.without_gradient))
    return any(set.union(*names) != set.intersection(*names) for names in by_site.values())


def _branch(record: Record, name: str, reached: set[str]) -> str:
    """The largest part of the model around a parameter in which nothing gets a gradient, else the parameter itself."""
    parts = name.split(".")
    begin = len(root_of(record, name).split("."))
    for end in range(begin + 1, len(parts)):
        part = ".".join(parts[:end])
        if not any(module == part or module.startswith(f"{part}.") for module in reached):
            return part
    return name


def _untouched(record: Record, group: str, members: Sequence[str], ran: dict[str, list[Look]]) -> Finding:
    looks = ran[root_of(record, group)]
    called = {seen.module for look in looks for seen in look.depth}
    runs = any(module == group or module.startswith(f"{group}.") for module in called)
    whole = group not in members
    reason = (
        "it ran, but no path leads from the loss back to it (detach, .data, .item(), no_grad, argmax)"
        if runs
        else "no look saw it called"
        if whole
        else "the loss does not depend on it"
    )
    who = f"{len(members)} trainable parameters of `{group}`" if whole else f"the trainable `{group}`"
    because = f"{who} had no gradient in any of {len(looks)} looks: {reason}."
    evidence: Evidence = {
        "parameters": len(members), "names": ", ".join(members[:8]), "called": runs, "looks": len(looks),
    }  # fmt: skip
    where: Where = {"module": group} if whole else {"module": group.rpartition(".")[0], "parameter": group}
    remedies = (
        Remedy(
            "connect", "# use its output in forward, without detach() or .data on the way to the loss", "then it learns"
        ),
        Remedy("freeze", f"{expression(group)}.requires_grad_(False)", "says that it is meant to stay as it is"),
    )
    how = f"∂L/∂w = 0: w.grad is None for {len(members)} w, in {len(looks)} of {len(looks)} looks"
    return Finding("GR306", "warning", UNTOUCHED.title, where, evidence, because, remedies, how)


UPDATES = Rule(
    "GR305",
    "update-size",
    "update far too large or too small for the weights",
    ("warning",),
    "step",
    Explain(
        cause="The learning rate does not fit the weights' size: either each update overwrites what was learned, or "
        "it changes nothing.",
        mathematics=("‖Δw‖ / ‖w‖ per module and update: about 1e-3 in ordinary training",),
        thresholds=f"Per module, on the median of {MIN_LOOKS} looks or more; normalisation layers and weights that "
        "start at zero are left out, for any update is large beside them. Too large: from "
        f"‖Δw‖ / ‖w‖ = {DEFAULT.update_too_large:g}, with which ten updates replace the weights, or once {REPLACED:g} "
        f"with weights that then grew {GROWN:g}-fold; and a loss that stands still or ends above where it began. Too "
        f"small: up to {shown(DEFAULT.update_too_small)} even for the module that moves most, a million updates for a "
        "change of the weights by their own size; a loss that certainly does not fall, and a gradient with ‖w‖·‖∂L/∂w‖ "
        f"of {LEVERAGE:g} of the loss or more: with a model at its optimum there is nothing to gain.",
        remedies=(
            "Change the rate by the factor named: free.",
            "Warm-up: for large first updates of adaptive methods alone.",
        ),
        silence="For fine-tuning that is meant to move weights by a hair.",
        references=(
            "Bottou (2012): Stochastic gradient descent tricks",
            "You, Gitman, Ginsburg (2017): Large batch training of convolutional networks",
        ),
    ),
    updates,
)

UNTOUCHED = Rule(
    "GR306",
    "without-gradient",
    "parameters that never receive a gradient",
    ("warning",),
    "step",
    Explain(
        cause="Parameters ask for a gradient, but nothing in the loss depends on them, or a detach cuts the way; "
        "they keep their random start.",
        mathematics=("∂L/∂w = 0 identically: autograd leaves w.grad at None",),
        thresholds="The same parameter has no gradient in every look at which any part of its model ran, "
        f"{MIN_LOOKS} at least, whichever line called backward: a model that only another loss trains gets one "
        "there. Where other parts get one now and then (experts, layers left out at random), a part that was never "
        f"called is judged from {MANY_LOOKS} looks on. Frozen parameters do not count.",
        remedies=(
            "Connect it: if it should learn.",
            "requires_grad_(False): if it should not; saves its optimizer state.",
            "Delete it: smaller model; old checkpoints no longer fit.",
        ),
        silence="For heads of a loaded model that this task does not use.",
        references=("Paszke et al. (2019): PyTorch: An imperative style, high-performance deep learning library",),
    ),
    untouched,
)

RULES = (UPDATES, UNTOUCHED)
