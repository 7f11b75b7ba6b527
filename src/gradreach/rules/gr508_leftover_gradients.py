"""GR508: the gradient that one model's pass leaves in another model goes into that other model's update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import local, shortened
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.record.seen.loop import OptimizerSteps
from gradreach.remedies.advice.zero_grad import ZERO_GRAD
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """The parameters that passes of another model leave with a gradient, which their own next step goes by too."""
    told = [(look, look.stepped) for look in facts.seen.looks if look.stepped is not None and look.stepped.held]
    if len(told) < 2 * MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {2 * MIN_LOOKS} looks heard an optimizer step")
    others = [other for _, other in told]
    after = _holders_after(facts, [look for look, _ in told])
    leaving = [
        (look, left)
        for look, each in told
        if (left := tuple(name for name in _left_for_others(each, others) if name in after.get(look.step, ())))
    ]
    if len(leaving) < MIN_LOOKS:
        return RuleOutcome()
    asked = [look for look, each in told if {*leaving[-1][1]} & {*each.left} or not {*leaving[-1][1]} & {*each.held}]
    return RuleOutcome((_finding(facts, leaving, len(asked)),))


def _left_for_others(one: OptimizerSteps, others: Sequence[OptimizerSteps]) -> tuple[str, ...]:
    """What is left after a step by some parameters, and stepped by after passes that have nothing to do with these."""
    held = set(one.held)
    apart = {name for other in others if held.isdisjoint(other.held) for name in other.held}
    return tuple(name for name in one.left if name in apart)


def _holders_after(facts: Facts, looks: Sequence[Look]) -> Mapping[int, frozenset[str]]:
    """By the step of each look the parameters that the update after the very next pass goes by, as it was seen at that
    pass's line: a gradient that is left before any other pass may be cleared yet."""
    held: dict[int, frozenset[str]] = {}
    for look in looks:
        names = () if look.stepped is None else look.stepped.held
        held[look.site] = held.get(look.site, frozenset()) | frozenset(names)
    sites = {step.step: step.site for step in facts.record.steps}
    return {look.step: held.get(sites.get(look.step + 1, -1), frozenset()) for look in looks}


def _finding(facts: Facts, leaving: Sequence[tuple[Look, tuple[str, ...]]], asked: int) -> Finding:
    look, names = leaving[-1]
    site = facts.site_name(look.site)
    owners = list(dict.fromkeys(facts.seen.root_of(name) for name in names))
    models = " and ".join(f"`{shortened(owner, 40)}`" for owner in owners[:3])
    because = (
        f"the pass at {local(site)} leaves a gradient in {models}, by which no optimizer steps there and which nothing "
        f"clears, in {len(leaving)} of {asked} looks: it still stands when the pass for {models} itself begins, and "
        "goes into that update too."
    )
    evidence: Evidence = {"parameters": len(names), "names": ", ".join(names[:8]), "looks": len(leaving)}
    where: Where = {"module": owners[0], "site": site}
    how = f"w.grad ≠ 0 from another loss before the pass, for {len(names)} w, in {len(leaving)} looks"
    return RULE.finding("warning", where, evidence, because, (ZERO_GRAD.remedy(),), how)


def _headline(_: Facts, finding: Finding) -> str:
    first = finding.because.split(", by which", 1)[0]
    return f"{first[:1].upper()}{first[1:]}, and it goes into that model's own update."


RULE = Rule(
    code="GR508",
    slug="leftover-gradients",
    title="gradients left over from another model's pass",
    severities=("warning",),
    family="loop",
    explain=Explanation(
        cause="A generator's loss goes through the discriminator, and its backward pass fills the discriminator's "
        "gradients as well. Its own optimizer leaves them there. Where nothing clears them before the discriminator's "
        "pass, they add to it: the discriminator takes a step for the generator.",
        mathematics=("w_D ← w_D − η (∂L_D/∂w_D + ∂L_G/∂w_D)",),
        thresholds="After a pass an optimizer steps by some of its parameters; others of it are held by an optimizer "
        "that steps after passes without any of the first, and their gradient stands there still when the next pass, "
        f"which is one of theirs, begins. {MIN_LOOKS} looks at least. Gradients that are summed over passes for one "
        "update do not count.",
        remedies=("zero_grad() of each optimizer before the pass that belongs to it: free.",),
        silence="Where both losses are meant to move the model.",
        references=("Goodfellow and others (2014): Generative adversarial networks, algorithm 1",),
    ),
    judge=judge,
    headline=_headline,
    urgency=2,
    zoo=("gr508_generators_leftover",),
)
