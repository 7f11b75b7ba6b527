"""GR505: a part of a model that its optimizer cannot see, for it stands in a container of Python's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, shortened
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.record.seen.loop import HiddenPart
from gradreach.remedies.advice.freeze import FREEZE
from gradreach.remedies.advice.module_list import MODULE_LIST
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """The hidden parts that a gradient reaches and that nothing moves."""
    looks = facts.seen.looks
    if len(looks) <= MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS + 1} looks to compare the weights at")
    parts = {part.name: part for look in looks for part in look.hidden}
    stayed = Counter(part.name for look in looks for part in look.hidden if part.moved is False)
    moved = {part.name for look in looks for part in look.hidden if part.moved}
    idle = [part for name, part in parts.items() if stayed[name] >= MIN_LOOKS and name not in moved]
    return RuleOutcome((_finding(facts, idle, looks),) if idle else ())


def _finding(facts: Facts, parts: Sequence[HiddenPart], looks: Sequence[Look]) -> Finding:
    first, names = parts[0], {part.name for part in parts}
    mine = [look for look in looks if names & {part.name for part in look.hidden}]
    sites = [facts.site(number) for number in {look.site for look in mine}]
    harmed = any(site.stalled or site.worse_than_at_first for site in sites)
    told = ", ".join(f"`{shortened(part.name, 40)}`" for part in parts[:3])
    more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
    container = first.name.partition("[")[0]
    stand, them = ("stands", "it") if len(parts) == 1 else ("stand", "them")
    because = (
        f"{told}{more} {stand} in a plain list, tuple or dict, where parameters() does not find {them}: a gradient "
        f"reaches {them}, and no optimizer moves {them}, from step {mine[0].step:,} to {mine[-1].step:,}. That is "
        f"{count(sum(part.parameters for part in parts), 'parameter')}, and state_dict() and to() leave {them} out as "
        "well."
    )
    evidence: Evidence = {
        "parameters": sum(part.parameters for part in parts), "names": ", ".join(part.name for part in parts[:8]),
        "looks": len(mine),
    }  # fmt: skip
    where: Where = {"module": first.name, "kind": first.kind}
    how = f"‖Δw‖ = 0 for {evidence['parameters']} w with a gradient, over {len(mine)} looks"
    bare = first.kind == "Parameter"
    by_key = "['" in first.name or '["' in first.name
    remedies = [MODULE_LIST.remedy(facts.seen.root_of(first.name), container, by_key=by_key, bare=bare)]
    remedies += [] if bare else [FREEZE.remedy(first.name)]
    return RULE.finding("error" if harmed else "warning", where, evidence, because, tuple(remedies), how)


def _headline(_: Facts, finding: Finding) -> str:
    return finding.because.split(". ", 1)[0] + "."


RULE = Rule(
    code="GR505",
    slug="hidden-parts",
    title="a part that the optimizer cannot see",
    severities=("error", "warning"),
    family="loop",
    explain=Explanation(
        cause="A module takes in the modules and parameters that are its attributes, or that stand in a ModuleList, "
        "ModuleDict, ParameterList or ParameterDict. What stands in a list, tuple or dict of Python works in the "
        "forward pass and gets a gradient, but is in no parameters(): no optimizer that was made of these moves it, no "
        "zero_grad() clears it, no state_dict() saves it.",
        mathematics=("w ← w − η g for the w that the optimizer holds; every other w stays",),
        thresholds="A module or parameter in such a container of a model gets a gradient other than 0 and holds the "
        f"very values of the look before, in {MIN_LOOKS} looks or more and in all of them. An error where the loss "
        "does not fall, else a warning. What moves was handed to an optimizer by hand; modules in evaluation mode are "
        "meant to stay.",
        remedies=(
            "ModuleList, ModuleDict, ParameterList or ParameterDict: free; old checkpoints lack the part.",
            "requires_grad_(False) for what is meant to stay: saves the backward pass there.",
        ),
        silence="For a part that is hidden on purpose, so that it stays as it is.",
        references=("Paszke et al. (2019): PyTorch: An imperative style, high-performance deep learning library",),
    ),
    judge=judge,
    headline=_headline,
    urgency=1,
    zoo=("gr505_cells_in_a_list", "gr505_weights_in_a_dict"),
)
