"""GR511: each step is made by a new optimizer, so that none knows of the gradients before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure, local, shortened
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.record.seen.loop import AnewOptimizer, OptimizerSteps
from gradreach.remedies.advice.make_optimizer_once import MAKE_OPTIMIZER_ONCE
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

SHARE = 2 / 3
"""Part of the looks at a line, past the run's first one, at which the optimizer began."""

SIGNS = ("Adam", "AdamW", "NAdam", "RMSprop")
"""Optimizers whose first step divides the gradient by its own size."""

UNHURT = ("ASGD",)
"""Optimizers that keep a state by which they do not step."""

FAR_ABOVE = 10.0
"""Times eps that the median gradient is above it, for a first step to go by the sign alone."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line whose optimizer begins at nearly every step, once for each optimizer."""
    told = {site: looks for site in facts.sites if len(looks := _stepped(facts, site)) >= MIN_LOOKS}
    if not told:
        return RuleOutcome(why_not=f"no line was watched at {MIN_LOOKS} steps of an optimizer past the first")
    findings: list[Finding] = []
    named: set[str] = set()
    for site, looks in told.items():
        for last in (each for each in looks[-1].anew if each.optimizer not in UNHURT):
            begun = [each for each in looks if any({*one.names} & {*last.names} for one in each.anew)]
            if named.isdisjoint(last.names) and len(begun) >= max(MIN_LOOKS, SHARE * len(looks)):
                named.update(last.names)
                findings.append(_finding(facts, site, last, begun, len(looks)))
    return RuleOutcome(tuple(findings))


def _stepped(facts: Facts, site: Site) -> list[OptimizerSteps]:
    """What optimizers did by the gradients of each look at a line, but for the first of all."""
    looks: Sequence[Look] = [look for look in facts.seen.looks[1:] if look.site == site.number]
    return [look.stepped for look in looks if look.stepped is not None and look.stepped.held]


def _finding(facts: Facts, site: Site, last: AnewOptimizer, begun: Sequence[OptimizerSteps], of: int) -> Finding:
    parts = _parts(facts, last, begun[-1])
    models = ", ".join(f"`{shortened(part, 40)}`" for part in parts[:3])
    models += f" and {len(parts) - 3} more" if len(parts) > 3 else ""
    because = (
        f"A new {last.optimizer} is made for each step of {models} after the pass at {local(site.name)}. At "
        f"{len(begun)} of {of} watched steps past the first it held nothing of the gradients before, though another "
        f"one had stepped the same weights. {_effect(last, begun)}"
    )
    evidence: Evidence = {
        "optimizer": last.optimizer, "rate": last.rate, "parameters": len(last.names), "anew": len(begun), "looks": of,
    }  # fmt: skip
    where: Where = {"module": parts[0], "site": site.name}
    how = f"state = 0 before {len(begun)} of {count(of, 'step')}, {len(begun)} ≥ {MIN_LOOKS}"
    remedies = (MAKE_OPTIMIZER_ONCE.remedy(last.optimizer, parts, last.rate, last.momentum),)
    return RULE.finding("warning", where, evidence, because, remedies, how)


def _parts(facts: Facts, last: AnewOptimizer, seen: OptimizerSteps) -> Sequence[str]:
    """The models whose parameters it steps; of one that others step too, the part that holds all of these."""
    roots: dict[str, list[str]] = {}
    for name in last.names:
        roots.setdefault(facts.seen.root_of(name), []).append(name)
    others = {facts.seen.root_of(name) for name in seen.held if name not in last.names}
    return [(_common(names) or root) if root in others else root for root, names in roots.items()]


def _common(names: Sequence[str]) -> str:
    """The path of the module in which all these parameters stand."""
    paths = [name.split(".")[:-1] for name in names]
    same = takewhile(lambda each: len(set(each)) == 1, zip(*paths, strict=False))
    return ".".join(each[0] for each in same)


def _effect(last: AnewOptimizer, begun: Sequence[OptimizerSteps]) -> str:
    """What is lost with the state."""
    eps = [each for seen in begun for each in seen.epsilons if each.optimizer == last.optimizer]
    if last.optimizer in SIGNS and eps and all(each.root > FAR_ABOVE * each.eps for each in eps):
        far = "equally far" if last.optimizer == "RMSprop" else f"by about the learning rate of {figure(last.rate)}"
        return (
            "Its means over gradients are thrown away each time, and a first step goes by the sign of one gradient "
            f"alone: it moves each weight {far}, however small the gradient is."
        )
    if last.optimizer == "SGD" and 0 < last.momentum < 1:
        return (
            "Its momentum is thrown away each time: every step goes by its own gradient alone, and is up to "
            f"{figure(1 / (1 - last.momentum))} times shorter than with the momentum that was asked for."
        )
    return "What it keeps from step to step is thrown away each time: every step goes by its own gradient alone."


RULE = Rule(
    code="GR511",
    slug="anew-optimizer",
    title="an optimizer made anew at each step",
    severities=("warning",),
    family="loop",
    explain=Explanation(
        cause="Optimizers such as Adam, RMSprop or SGD with momentum keep means over the gradients of earlier steps. "
        "One that is made within the loop, in a function for one step, or by one that returns model and optimizer, "
        "begins with none. Momentum never builds up. Adam makes its first step each time, which goes by the sign of "
        "one gradient: noise moves the weights as far as a steep slope does, so that the loss stays above its minimum.",
        mathematics=(
            "m̂ = m / (1 − β₁) = g and v̂ = v / (1 − β₂) = g² at step 1:   Δw = −η g / (|g| + ε) ≈ −η sign(g)",
            "momentum: b = μ b + g comes to g / (1 − μ) where gradients agree; from b = 0 it is g",
        ),
        thresholds="A look's step is made by an optimizer that keeps a state and had none of these parameters until "
        "then. The step that followed the look before was made by another one that had none either, from the very "
        f"weights that the step before it had left. So it is in {MIN_LOOKS} looks or more past the run's first one, in "
        "two thirds of them, and in the last. SGD without momentum keeps nothing; an optimizer for each epoch, or for "
        "each task of several steps, is found with a state at its second step; steps with a closure do not count.",
        remedies=(
            "Make the optimizer once, before the loop, and hand it to the function: free; lower the rate where it was "
            "raised to make up for it.",
        ),
        silence="Where each step is meant to go by the sign of the gradient.",
        references=(
            "Kingma and Ba (2015): Adam: a method for stochastic optimization",
            "Balles and Hennig (2018): Dissecting Adam: the sign, magnitude and variance of stochastic gradients",
        ),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    labels={"anew": "steps of a new optimizer", "rate": "learning rate"},
    zoo=("gr511_adam_at_each_batch", "gr511_momentum_of_one_step"),
)
