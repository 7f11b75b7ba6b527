"""GR616: a part of the model that only a penalty trains."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.penalties import FEWEST_LOOKS, PenaltySeen
from gradreach.facts.wording import count, shortened
from gradreach.record.schema import Finding
from gradreach.record.seen.loss import PenaltyAlone
from gradreach.remedies.advice.use_result import USE_RESULT
from gradreach.rules.losses import NO_LOSS, headline, whose
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

SHOWN = 4
"""Modules that are named."""


def judge(facts: Facts) -> RuleOutcome:
    """What leads to the loss of a line by penalties alone."""
    if not facts.seen.loss_parts:
        return RuleOutcome(why_not=NO_LOSS)
    return RuleOutcome(tuple(_finding(facts, each) for each in facts.seen.penalties))


def _finding(facts: Facts, seen: PenaltySeen) -> Finding:
    last, is_one = seen.last, len(seen.last.modules) == 1
    verb, puts, them = ("leads", "it puts", "it") if is_one else ("lead", "they put", "them")
    because = (
        f"{_listed(last.modules)} {verb} to the loss by a penalty alone, which holds nothing against data: it is least "
        f"where what {puts} out is the same for every input. No gradient comes to {them} from "
        f"{_compared(facts, seen.site)}, which is held against targets: that does not depend on what {puts} out, or is "
        f"cut off on the way (detach, .data, argmax).{_of_gaussian(last)}"
    )
    before = len({name.rpartition(".")[0] for name in last.parameters}) - len(last.modules)
    if before > 0:
        because += f" The same holds for {count(before, 'layer')} before {them}, whose output goes nowhere else."
    evidence: Evidence = {
        "modules": ", ".join(last.modules[:8]), "parameters": len(last.parameters), "looks": seen.looks,
    }  # fmt: skip
    where: Where = {"module": last.modules[-1], "site": facts.site_name(seen.site)}
    how = f"L = L_data + L_penalty: ∂L_data/∂w = 0 for {len(last.parameters)} w, in {seen.looks} of {seen.looks} looks"
    remedies = (USE_RESULT.remedy(last.modules[-1], last.mean, last.log_variance),)
    return RULE.finding("warning", where, evidence, because, remedies, how)


def _listed(modules: Sequence[str]) -> str:
    """Modules by name: "`a`, `b` and 3 more"."""
    named = [f"`{shortened(module, 40)}`" for module in modules[:SHOWN]]
    if len(modules) > SHOWN:
        return f"{', '.join(named)} and {len(modules) - SHOWN} more"
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)


def _compared(facts: Facts, site: int) -> str:
    """What the loss of a line holds against targets, in words."""
    parts = [part.last for part in facts.seen.loss_parts if part.site == site and part.last.kind != "product"]
    named = list(dict.fromkeys(whose(part) for part in parts))
    return " and ".join(named[:2]) if named else "the output"


def _of_gaussian(last: PenaltyAlone) -> str:
    """What it means for a code of which mean and variance are known."""
    if not last.log_variance:
        return ""
    if last.mean not in last.modules:
        return (
            " The penalty is the divergence of a code from the normal distribution: the variance goes to 1 in each "
            "row, however sure of its code a row should be."
        )
    return (
        " The penalty is the divergence of a code of that mean and variance from the normal distribution: the code is "
        "trained to keep nothing of the data, and a drawn one says nothing to what is to read it."
    )


RULE = Rule(
    code="GR616",
    slug="penalty-alone",
    title="a part that only a penalty trains",
    severities=("warning",),
    family="loss",
    explain=Explanation(
        cause="A layer leads to the loss by a term that holds nothing against data, as a divergence from a normal "
        "distribution or a penalty on activations, and the output that is held against targets does not depend on it: "
        "the decoder is given what the code was made of in place of the code, or the result of a block is not used. "
        "The layer then learns to put out the same for every input, while the loss looks very good.",
        mathematics=(
            "L = L_data(v) + Σ_rows g(f(x; w)),   ∂L_data/∂w = 0:   least where f(x; w) = argmin g, whatever x",
            "−½ (1 + log σ² − μ² − σ²) = 0   where μ = 0 and σ = 1 for every x: the code says nothing",
        ),
        thresholds="Layers with weights lead to the loss only by summands that are one function, for each row, of "
        "their outputs and of constants, beside a comparison with targets that leads to none of them. Data that enter "
        "such a summand, rows that meet in it, a weight that anything else uses too, an operation that is not known, "
        "and what is only added up, as the score of a critic is, make it silent. So in all looks that give these "
        f"layers a gradient, {FEWEST_LOOKS} at least; no other line trains them, and an optimizer moves them.",
        remedies=(
            "Make what follows from the result of the part, as from a sample of the code: free.",
            "Take the part and its penalty away: less to compute.",
        ),
        silence="Where the part is trained for a later use that needs it to put out next to nothing.",
        references=(
            "Kingma, Welling (2014): Auto-encoding variational Bayes",
            "Bowman et al. (2016): Generating sentences from a continuous space",
        ),
    ),
    judge=judge,
    headline=headline,
    urgency=2,
    zoo=("gr616_code_passed_by", "gr616_unused_block"),
)
