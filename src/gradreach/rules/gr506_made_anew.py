"""GR506: layers that each forward pass makes anew: they get a gradient, and are gone before an optimizer sees them."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.record.seen.loop import FleetingPart
from gradreach.remedies.advice.make_once import MAKE_ONCE
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each module in whose forward pass such layers are made, look after look."""
    if len(facts.seen.looks) <= MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS + 1} looks to tell whether layers come back")
    found: dict[str, list[tuple[Look, Sequence[FleetingPart]]]] = {}
    for look in facts.seen.looks:
        for inside in dict.fromkeys(part.inside for part in look.fleeting):
            parts = [part for part in look.fleeting if part.inside == inside]
            found.setdefault(inside, []).append((look, parts))
    return RuleOutcome(tuple(_finding(facts, inside, seen) for inside, seen in found.items() if len(seen) >= MIN_LOOKS))


def _finding(facts: Facts, inside: str, seen: Sequence[tuple[Look, Sequence[FleetingPart]]]) -> Finding:
    look, parts = seen[-1]
    kinds = ", ".join(dict.fromkeys(part.kind for part in parts))
    parameters, site = sum(part.parameters for part in parts), facts.site(look.site)
    learns = site.learning.course == "falls" and site.learning.until is None
    because = (
        f"`{inside}` makes a layer with weights ({kinds}) in its forward pass, anew at each call, in {len(seen)} of "
        f"{len(facts.seen.looks)} looks. {count(parameters, 'parameter')} with a gradient "
        f"{'are' if parameters > 1 else 'is'} thrown away with the pass: no optimizer holds them, and the next pass "
        "starts from other random weights."
    )
    evidence: Evidence = {"parameters": parameters, "kinds": kinds, "looks": len(seen)}
    where: Where = {"module": inside, "site": site.name}
    how = f"{parameters} w with a gradient, made anew in each of {len(seen)} looks"
    remedies = (MAKE_ONCE.remedy(parts[0].kind),)
    return RULE.finding("warning" if learns else "error", where, evidence, because, remedies, how)


RULE = Rule(
    code="GR506",
    slug="made-anew",
    title="layers made anew at each pass",
    severities=("error", "warning"),
    family="loop",
    explain=Explanation(
        cause="A layer that is written as nn.Linear(...)(x) inside of forward() is a new one, with new random weights, "
        "at every call. It works, it gets a gradient, and it never learns: what comes after it has to learn from "
        "noise.",
        mathematics=("w_t ~ the start's distribution at every t, whatever ∂L/∂w_{t−1} said",),
        thresholds="A module with weights is called inside of another one, gets a gradient, belongs to no model, and "
        f"those of the look before are gone, in {MIN_LOOKS} looks or more. An error unless the loss goes on falling.",
        remedies=("Make the layer in __init__ and call it in forward(): free.",),
        silence="Where random weights are wanted at each pass.",
        references=("Paszke and others (2019): PyTorch: An imperative style, high-performance deep learning library",),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    zoo=("gr506_linear_in_forward",),
)
