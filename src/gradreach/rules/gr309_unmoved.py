"""GR309: weights that get a gradient and never move."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure, shortened
from gradreach.record.look import Look
from gradreach.record.schema import Finding, Remedy, Severity
from gradreach.remedies.advice.find_out import FIND_OUT
from gradreach.remedies.advice.freeze import FREEZE
from gradreach.remedies.advice.hand_over import HAND_OVER
from gradreach.remedies.advice.raise_rate import RAISE_RATE
from gradreach.remedies.advice.same_weights import SAME_WEIGHTS
from gradreach.remedies.advice.update_order import UPDATE_ORDER
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """The parameters that a gradient reaches and that hold the same values from their first look to the last."""
    looks = facts.seen.looks_with_update
    if len(looks) <= MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS + 1} looks to compare the weights at")
    seen = dict.fromkeys(name for look in looks for name in look.unmoved)
    names = [name for name in seen if _never_moves(name, looks)]
    order = {each.module: each.order for look in looks for each in look.depth}
    modules = sorted(dict.fromkeys(map(_owner, names)), key=lambda module: order.get(module, -1))
    held = [look for look in looks if not set(names).isdisjoint(look.unmoved)]
    harm = _harm(modules, held) if modules else None
    return RuleOutcome() if harm is None else RuleOutcome((_finding(facts, names, modules, held, harm),))


def _owner(name: str) -> str:
    return name.rpartition(".")[0] or name


def _never_moves(name: str, looks: Sequence[Look]) -> bool:
    """Whether each look that saw a gradient of this parameter, but the first, found it as the one before had it."""
    owner = name.rpartition(".")[0]
    held = sum(name in look.unmoved for look in looks)
    reached = _reached(owner, looks)
    trained = any(seen.module == owner and seen.update_ratio for look in looks for seen in look.depth)
    return held >= MIN_LOOKS and not trained and all(name in look.unmoved for look in reached[1:])


def _reached(owner: str, looks: Sequence[Look]) -> list[Look]:
    """The looks at which a gradient came to a module's weights."""
    return [look for look in looks if any(each.module == owner and each.weight_grad_norm for each in look.depth)]


def _harm(modules: Sequence[str], looks: Sequence[Look]) -> tuple[Severity, str] | None:
    """How much it matters: nothing moves at all, or layers before these do; None where it may well be meant so.

    A part that only what comes behind it moves, and a network for which an input is optimised, are meant to stay.
    """
    if not any(look.moved for look in looks):
        return "error", "nothing that the loss leads to moves"
    order = {seen.module: seen.order for look in looks for seen in look.depth}
    resting = [order[module] for module in modules if module in order]
    moving = [seen.order for look in looks for seen in look.depth if seen.module not in modules and seen.update_ratio]
    if resting and moving and max(resting) > min(moving):
        return "warning", "layers before move, and it stays as it was"
    return None


def _finding(
    facts: Facts, names: Sequence[str], modules: Sequence[str], looks: Sequence[Look], harm: tuple[Severity, str]
) -> Finding:
    severity, meaning = harm
    told = ", ".join(f"`{shortened(module, 40)}`" for module in modules[:3])
    more = f" and {len(modules) - 3} more" if len(modules) > 3 else ""
    why, remedy, idle = *_why(facts, names, modules), None
    if remedy.id == HAND_OVER.id and (idle := _idle(facts)):
        why = (
            f"No optimizer that steps was given them: one steps {count(idle, 'other parameter')}, none of which ever "
            "has a gradient; it was made before these were, or the loss is computed with a copy of the model."
        )
    begun = min(look.step for module in modules for look in (*_reached(module, facts.seen.looks_with_update), *looks))
    because = (
        f"{told}{more} got a gradient and held the very same values from step {begun:,} to "
        f"{looks[-1].step:,}: {meaning}. That is {count(len(names), 'parameter')}. {why}"
    )
    evidence: Evidence = {
        "parameters": len(names),
        "names": ", ".join(names[:8]),
        "looks": len(looks) + 1,
        "idle": idle,
    }
    where: Where = {"module": modules[-1]}
    how = f"‖Δw‖ = 0 for {len(names)} w, over {len(looks) + 1} looks"
    remedies = (remedy, *([SAME_WEIGHTS.remedy()] if idle else []))
    if remedy.id == HAND_OVER.id:
        remedies = (*remedies, FREEZE.remedy(modules[-1]))
    return RULE.finding(severity, where, evidence, because, remedies, how)


def _idle(facts: Facts) -> int:
    """How many parameters an optimizer steps none of which ever has a gradient; 0 where there is no such optimizer."""
    told = [look.stepped for look in facts.seen.looks_with_update if look.stepped is not None]
    stepping = [each for each in told if each.steps]
    return min((each.idle for each in stepping), default=0) if len(stepping) >= MIN_LOOKS else 0


def _why(facts: Facts, names: Sequence[str], modules: Sequence[str]) -> tuple[str, Remedy]:
    """Why nothing moved them, from what optimizers did after the passes that were watched, and what does."""
    hand_over = HAND_OVER.remedy(facts.seen.root_of(modules[0]))
    told = [look.stepped for look in facts.seen.looks_with_update if look.stepped is not None]
    stepping = [each for each in told if each.steps]
    if len(told) >= MIN_LOOKS and not stepping:
        why = f"After none of {len(told)} passes that were watched did an optimizer of torch make a step."
        return why, UPDATE_ORDER.remedy()
    if len(stepping) < MIN_LOOKS:
        either = "Either no optimizer was given them, for it was made before they were or for others, or its rate is 0"
        return f"{either}, or updates are lost in the rounding of the weights.", hand_over
    held = [set(names) & set(each.held) for each in stepping]
    if not any(held):
        return "No optimizer that steps was given them: it was made before they were, or for others.", hand_over
    if all(some <= set(each.empty) for some, each in zip(held, stepping, strict=True)):
        why = "The optimizer steps when their gradient is gone: it is cleared between backward() and step()."
        return why, UPDATE_ORDER.remedy()
    rate = max(each.rate for each in stepping)
    if rate == 0.0:
        return "The optimizer steps them at a learning rate of 0.", FIND_OUT.remedy(
            facts.record.run.script, "GR309", True
        )
    why = f"The optimizer steps them, at a rate of {figure(rate)}: the updates are lost in the rounding of the weights."
    return why, RAISE_RATE.remedy(10.0)


def _headline(_: Facts, finding: Finding) -> str:
    meaning, _number, why = finding.because.split(". ", 2)
    return f"{meaning}. {why}"


RULE = Rule(
    code="GR309",
    slug="unmoved",
    title="weights that never move",
    severities=("error", "warning"),
    family="step",
    explain=Explanation(
        cause="backward() fills the gradient of every weight that asks for one; only those that an optimizer was "
        "given are moved by it, and by the gradient that it finds when it steps. A layer that was put in after the "
        "optimizer was made, or a parameter group left out, keeps its random start; so does everything where step() is "
        "never called, or comes after zero_grad().",
        mathematics=("w ← w − η g for the w that the optimizer holds; every other w stays",),
        thresholds="The sum of a parameter's values and that of their squares are the same at each look and at the one "
        f"before, for {MIN_LOOKS + 1} looks at least, though its gradient is not 0. An error where nothing moves; a "
        "warning where layers before it are trained. It is silent where only what comes behind it moves, as above a "
        "backbone that is meant to stay, and where the loss moves something else, as an image that is optimised.",
        remedies=(
            "Hand all parameters to the optimizer: free.",
            "zero_grad(), backward(), step(), in this order: free.",
            "requires_grad_(False) for what is meant to stay: saves the backward pass there.",
        ),
        silence="For a part that is meant to stay.",
        references=("Paszke et al. (2019): PyTorch: An imperative style, high-performance deep learning library",),
    ),
    judge=judge,
    headline=_headline,
    urgency=0,
    labels={"idle": "parameters that are stepped without a gradient"},
    zoo=(
        "gr309_optimizer_made_too_early",
        "gr309_cleared_before_step",
        "gr309_never_stepped",
        "gr309_second_optimizer",
        "gr309_loss_with_weights",
    ),
)
