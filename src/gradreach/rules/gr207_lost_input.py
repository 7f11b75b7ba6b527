"""GR207: a normalisation runs over single values, so that nothing of what goes in comes out."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import capital, count
from gradreach.record.look import Look
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.depth import SingleValues
from gradreach.remedies.advice.norm_over_more import NORM_OVER_MORE
from gradreach.rules.losses import headline, shape
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """The first such module at each line that calls backward."""
    if len(facts.seen.looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS} looks at what is normalised")
    found: dict[int, dict[str, list[tuple[Look, SingleValues]]]] = {}
    for look in facts.seen.looks:
        for each in look.single_values:
            found.setdefault(look.site, {}).setdefault(each.module, []).append((look, each))
    sure = {
        site: {module: seen for module, seen in modules.items() if _is_sure(facts, site, module, seen)}
        for site, modules in found.items()
    }
    return RuleOutcome(tuple(_finding(facts, site, modules) for site, modules in sure.items() if modules))


def _is_sure(facts: Facts, site: int, module: str, seen: Sequence[tuple[Look, SingleValues]]) -> bool:
    """Whether it is so in every look at this line in which the module ran, and in MIN_LOOKS."""
    steps = {look.step for look, _ in seen}
    ran = (look for look in facts.seen.looks if look.site == site and any(d.module == module for d in look.depth))
    return len(steps) >= MIN_LOOKS and all(look.step in steps for look in ran)


def _finding(facts: Facts, number: int, modules: dict[str, list[tuple[Look, SingleValues]]]) -> Finding:
    order = {each.module: each.order for look in facts.seen.looks for each in look.depth}
    first = min(modules, key=lambda module: order.get(module, len(order)))
    seen, looks, others = modules[first][-1][1], len(modules[first]), len(modules) - 1
    is_norm = "Norm" in seen.kind
    who = f"`{first}` ({seen.kind})" if is_norm else f"a {seen.operation} in `{first}` ({seen.kind})"
    because = (
        f"{who} normalises each value by itself, and nothing of what goes into it comes out. What it "
        f"takes in has the shape {shape(seen.given)}, of which it takes one value at a time: a value "
        f"less its own mean is 0, whatever it was, in {count(looks, 'look')}."
    )
    if others:
        because += f" So it is with {count(others, 'other module')}."
    site = facts.site(number)
    severity: Severity = "error" if site.stalled or facts.is_constant_guess(number) else "warning"
    evidence: Evidence = {"operation": seen.operation, "modules": others + 1, "looks": looks}
    where: Where = {"module": first, "kind": seen.kind, "site": site.name}
    how = "y = γ (x − mean(x)) / √(var(x) + ε) + β, of one x: x − mean(x) = 0"
    return RULE.finding(severity, where, evidence, because, (NORM_OVER_MORE.remedy(first if is_norm else ""),), how)


def _headline(facts: Facts, finding: Finding) -> str:
    return capital(headline(facts, finding))


RULE = Rule(
    code="GR207",
    slug="lost-input",
    title="a normalisation that loses its input",
    severities=("error", "warning"),
    family="depth",
    explain=Explanation(
        cause="A layer norm or group norm takes the mean of the values that it normalises from each of them. Where "
        "that is a single value nothing is left: the output is the bias β, the same for every row, and no gradient "
        "comes back either. So it is with LayerNorm(1) on a single feature, and with as many groups as channels where "
        "each channel holds one value.",
        mathematics=("y = γ (x − mean(x)) / √(var(x) + ε) + β;   of one value x = mean(x), and y = β",),
        thresholds="A layer norm or group norm on the way to the loss runs over one value, in every look at which its "
        f"module ran, {MIN_LOOKS} at least. An error where the loss does not fall, or comes no lower than a constant "
        "guess gets; else a warning, for another way around it may carry the input.",
        remedies=(
            "No normalisation there: free. A single feature is better scaled by figures of the training data.",
            "One over more values: fewer groups, several features, or the batch.",
        ),
        silence="Where the module was put together for any number of features, and one needs nothing of this part.",
        references=("Ba, Kiros, Hinton (2016): Layer normalization", "Wu, He (2018): Group normalization"),
    ),
    judge=judge,
    headline=_headline,
    urgency=0,
    effects=("GR204",),
    zoo=("gr207_layer_norm_of_one", "gr207_group_norm_of_one"),
)
