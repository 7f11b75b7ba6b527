"""GR306: trainable parameters without a gradient in every look at which their model ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from gradreach.facts.facts import Facts
from gradreach.facts.modules import is_within
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, percent
from gradreach.record.look import Look
from gradreach.record.schema import Finding, Remedy
from gradreach.remedies.advice.connect import CONNECT
from gradreach.remedies.advice.freeze import FREEZE
from gradreach.remedies.advice.same_weights import SAME_WEIGHTS
from gradreach.remedies.advice.with_gradients import WITH_GRADIENTS
from gradreach.rules import gr309_unmoved
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

MUCH = 0.2
"""Share of a model's layers with weights from which those that take no part are thought to be forgotten or cut off;
fewer are often left over: a pooler, a classifier's head on a backbone, a gate that the first layer does not have."""

SHOWN = 6
"""Parts that are named."""

MANY_LOOKS = 20
"""Looks at which a part that is picked one time in four has been picked but for 3 chances in a thousand."""


def judge(facts: Facts) -> RuleOutcome:
    """Each part of a model in which nothing ever gets a gradient, and which nothing else sets; where no model has one,
    an optimizer all of whose parameters are without."""
    ran = _looks_by_root(facts)
    found = _of_models(facts, ran) or _of_idle_optimizer(facts)
    if not found and not any(len(looks) >= MIN_LOOKS for looks in ran.values()):
        return RuleOutcome(why_not=f"no model was watched {MIN_LOOKS} times")
    return RuleOutcome(found)


def _of_models(facts: Facts, ran: Mapping[str, list[Look]]) -> tuple[Finding, ...]:
    """The parts of models that ran."""
    looks = facts.record.looks
    names = dict.fromkeys(name for look in looks for name in look.without_gradient)
    lost = [name for name in names if _never(name, ran.get(facts.seen.root_of(name), []))]
    lacking = {name.rpartition(".")[0] for name in lost}
    reached = {
        seen.module
        for look in looks
        for seen in look.depth
        if seen.weight_grad_norm is not None or (seen.parameters and seen.module not in lacking)
    }
    parts: dict[str, list[str]] = {}
    for name in lost:
        parts.setdefault(_part(facts, name, reached), []).append(name)
    set_otherwise = {name for look in looks for name in look.set_otherwise}
    idle = {part: names for part, names in parts.items() if not set_otherwise.intersection(names)}
    uncalled = [part for part, names in idle.items() if part not in names and _is_uncalled(part, facts)]
    took_part = {part: names for part, names in idle.items() if part not in uncalled}
    found = [_finding(facts, part, took_part, ran) for part in took_part]
    for root in dict.fromkeys(facts.seen.root_of(part) for part in uncalled):
        unused = {part: idle[part] for part in uncalled if facts.seen.root_of(part) == root}
        found.append(_of_uncalled(facts, unused, ran[root]))
    return tuple(found)


def _of_idle_optimizer(facts: Facts) -> tuple[Finding, ...]:
    """An optimizer that steps look after look, and none of whose parameters ever has a gradient; where GR309 tells of
    the weights that it was not given, it tells of that too."""
    looks = [look for look in facts.seen.looks if look.stepped is not None and look.stepped.steps]
    stepped = [look.stepped for look in looks if look.stepped is not None]
    if len(stepped) < MIN_LOOKS or not all(each.idle for each in stepped):
        return ()
    if any(found.evidence["idle"] for found in gr309_unmoved.judge(facts).findings):
        return ()
    idle, nothing_else = stepped[-1].idle, not any(each.held for each in stepped)
    because = (
        f"none of the {idle} parameters that an optimizer steps had a gradient in any of {len(looks)} looks: the loss "
        "is computed with other weights than those that it was given, as with a copy of the model, or with one that "
        "was made anew."
    )
    evidence: Evidence = {"parameters": idle, "called": False, "looks": len(looks)}
    how = f"∂L/∂w does not exist for {idle} w, in {len(looks)} of {len(looks)} looks"
    where: Where = {"site": facts.site_name(looks[-1].site)}
    severity: Literal["error", "warning"] = "error" if nothing_else else "warning"
    return (RULE.finding(severity, where, evidence, because, (SAME_WEIGHTS.remedy(),), how),)


def _looks_by_root(facts: Facts) -> dict[str, list[Look]]:
    """The looks at which any module of a root ran."""
    ran: dict[str, list[Look]] = {}
    for look in facts.record.looks:
        for root in {facts.seen.root_of(seen.module) for seen in look.depth}:
            ran.setdefault(root, []).append(look)
    return ran


def _never(name: str, looks: Sequence[Look]) -> bool:
    """Whether no look saw a gradient; only many looks can tell of an uncalled part of a model that picks its parts.

    A parameter that the loss leads to got one, if only of zeros.
    """
    if len(looks) < MIN_LOOKS or not all(name in look.without_gradient for look in looks):
        return False
    if any(name in group.parameters for look in looks for group in look.zero_gradient):
        return False
    owner = name.rpartition(".")[0]
    called = any(seen.module == owner for look in looks for seen in look.depth)
    return called or len(looks) >= MANY_LOOKS or not _picks_parts(looks)


def _picks_parts(looks: Sequence[Look]) -> bool:
    """Whether a parameter has a gradient at some looks of one place and none at others: experts, layers left out."""
    by_site: dict[int, list[set[str]]] = {}
    for look in looks:
        by_site.setdefault(look.site, []).append(set(look.without_gradient))
    return any(set.union(*names) != set.intersection(*names) for names in by_site.values())


def _part(facts: Facts, name: str, reached: set[str]) -> str:
    """The largest part of the model around a parameter in which nothing gets a gradient, else the parameter itself."""
    words = name.split(".")
    begin = len(facts.seen.root_of(name).split("."))
    parts = (".".join(words[:end]) for end in range(begin, len(words)))
    return next((part for part in parts if not is_within(part, reached)), name)


def _finding(facts: Facts, part: str, parts: Mapping[str, Sequence[str]], ran: Mapping[str, Sequence[Look]]) -> Finding:
    """One of the parts that ran, or that are a parameter by itself."""
    names, looks = parts[part], ran[facts.seen.root_of(part)]
    whole = part not in names
    reason, remedy = _reason(part, names, looks)
    who = f"{count(len(names), 'trainable parameter')} of `{part}`" if whole else f"the trainable `{part}`"
    because = f"{who} had no gradient in any of {len(looks)} looks: {reason}."
    where: Where = {"module": part} if whole else {"module": part.rpartition(".")[0], "parameter": part}
    evidence = _evidence(names, looks, called=True)
    severity: Literal["warning", "info"] = "warning"
    if whole and remedy.id == CONNECT.id:
        beside = [
            name for other in parts if facts.seen.root_of(other) == facts.seen.root_of(part) for name in parts[other]
        ]
        is_much, compared = _share(facts, beside, looks) >= MUCH, _compared(facts, part)
        severity = "warning" if is_much or compared else "info"
        share = _share(facts, names, looks)
        because += f" That is {percent(share)} of the layers with weights."
        if not is_much and compared:
            because += f" {compared}"
        evidence = {**evidence, "unused_share": share}
    remedies = (remedy, FREEZE.remedy(part))
    return RULE.finding(severity, where, evidence, because, remedies, _how(names, looks))


def _compared(facts: Facts, part: str) -> str:
    """That the loss holds what a part puts out against a target; empty where it does not, or does fall."""
    for each in facts.seen.loss_parts:
        if is_within(each.last.module, (part,)) and facts.site(each.site).gains_nothing:
            return f"The {each.last.kind} of what it puts out stands in the loss, so that it was meant to learn."
    return ""


def _of_uncalled(facts: Facts, parts: Mapping[str, Sequence[str]], looks: Sequence[Look]) -> Finding:
    """What of one model nothing uses, as one finding: forgotten where it is much and the loss gains nothing without it,
    else left over, for a script may well use a part of a model."""
    names = [name for each in parts.values() for name in each]
    share, first = _share(facts, names, looks), next(iter(parts))
    if len(parts) == 1:
        who, called = f"{count(len(names), 'trainable parameter')} of `{first}` had", "no look saw it called"
    else:
        listed = ", ".join(f"`{part}`" for part in list(parts)[:SHOWN]) + (" …" if len(parts) > SHOWN else "")
        who, called = f"{len(parts)} parts of the model, {listed}, had", "no look saw any of them called"
    because = f"{who} no gradient in any of {len(looks)} looks: {called}. "
    because += f"That is {percent(share)} of the layers with weights."
    root = facts.seen.root_of(first)
    harmed = any(site.gains_nothing for site in facts.sites if root in facts.seen.models_at(site.number))
    severity: Literal["warning", "info"] = "warning" if share >= MUCH and harmed else "info"
    remedies = (CONNECT.remedy(), FREEZE.remedy(first))
    evidence: Evidence = {**_evidence(names, looks, called=False), "unused_share": share}
    return RULE.finding(severity, {"module": first}, evidence, because, remedies, _how(names, looks))


def _share(facts: Facts, names: Sequence[str], looks: Sequence[Look]) -> float:
    """Share of a model's layers with weights that these parameters belong to."""
    unused = {name.rpartition(".")[0] for name in names}
    root = facts.seen.root_of(names[0])
    seen = {
        each.module for look in looks for each in look.depth if each.parameters or each.weight_grad_norm is not None
    }
    used = {module for module in seen if facts.seen.root_of(module) == root}
    return len(unused) / len(unused | used)


def _evidence(names: Sequence[str], looks: Sequence[Look], *, called: bool) -> Evidence:
    return {"parameters": len(names), "names": ", ".join(names[:8]), "called": called, "looks": len(looks)}


def _how(names: Sequence[str], looks: Sequence[Look]) -> str:
    return f"∂L/∂w = 0: w.grad is None for {len(names)} w, in {len(looks)} of {len(looks)} looks"


def _is_uncalled(part: str, facts: Facts) -> bool:
    """Whether no look saw it called, with gradients or without."""
    looks = facts.record.looks
    with_gradient = (seen.module for look in looks for seen in look.depth)
    return not is_within(part, (*with_gradient, *(name for look in looks for name in look.called_without_gradient)))


def _reason(part: str, names: Sequence[str], looks: Sequence[Look]) -> tuple[str, Remedy]:
    """Why a part that ran got no gradient, and what lets one come."""
    if part in names:
        return "the loss does not depend on it", CONNECT.remedy()
    if is_within(part, (seen.module for look in looks for seen in look.depth)):
        reason = (
            "it ran, but nothing uses what it put out, or it is cut off on the way (detach, .data, .item(), argmax)"
        )
        return reason, CONNECT.remedy()
    reason = (
        "it ran only where gradients are switched off, by torch.no_grad or by a reentrant checkpoint none of whose "
        "inputs asks for a gradient"
    )
    return reason, WITH_GRADIENTS.remedy()


RULE = Rule(
    code="GR306",
    slug="without-gradient",
    title="parameters that never receive a gradient",
    severities=("error", "warning", "info"),
    family="step",
    explain=Explanation(
        cause="Parameters ask for a gradient, but nothing in the loss depends on them, or a detach cuts the way; "
        "they keep their random start.",
        mathematics=("∂L/∂w = 0 identically: autograd leaves w.grad at None",),
        thresholds="The same parameter has no gradient in every look at which any part of its model ran, "
        f"{MIN_LOOKS} at least, whichever line called backward: a model that only another loss trains gets one "
        "there. Where other parts get one now and then (experts, layers left out at random), a part that was never "
        f"called is judged from {MANY_LOOKS} looks on. Frozen parameters do not count, nor a part that something "
        "else than its gradient sets: a target or teacher network copied or averaged from another one, weights that "
        f"were loaded or swapped on the way, or that a functional call puts others in the place of. What ran "
        f"for nothing is information where it is less than {percent(MUCH)} of the layers with weights and the "
        "loss, where it does not fall, does not hold what it puts out against a target, and what "
        "nothing calls unless it is as much and the loss does not fall, hardly, or no longer. Of optimizers: none of "
        f"the parameters of one had a gradient when it stepped, in {MIN_LOOKS} looks "
        "or more and in all; an error where no other one stepped by a gradient. Where GR309 names the weights that are "
        "trained in their place, it tells of that optimizer too.",
        remedies=(
            "Connect it: if it should learn.",
            "Compute the loss with the weights that the optimizer holds: free.",
            "requires_grad_(False): if it should not; saves its optimizer state.",
            "Delete it: smaller model; old checkpoints no longer fit.",
        ),
        silence="For heads of a loaded model that this task does not use.",
        references=("Paszke et al. (2019): PyTorch: An imperative style, high-performance deep learning library",),
    ),
    judge=judge,
    labels={"unused_share": "of the layers with weights"},
    zoo=("gr306_detached_encoder", "gr306_forgotten_branch", "gr306_codebook_cut_off", "gr306_copies_trained"),
)
