"""GR205: the units of a hidden layer are copies of one another, and stay so."""

from __future__ import annotations

from gradreach.facts.copied_units import CopiedLayers
from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import capital, count, shortened
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.weights import CopiedUnits
from gradreach.remedies.advice.unlike_units import UNLIKE_UNITS
from gradreach.rules.harm import harm
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

MOST_TOLD = 3


def judge(facts: Facts) -> RuleOutcome:
    """Each line that trains hidden layers whose units are copies."""
    if len(facts.seen.looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS} looks to compare units at")
    return RuleOutcome(tuple(_finding(facts, found) for found in facts.seen.copied_layers))


def _finding(facts: Facts, found: CopiedLayers) -> Finding:
    first, site = found.layers[0], facts.site(found.site)
    one = all(layer.different == 1 for layer in found.layers)
    shown = harm(facts, site) or ("the loss hardly falls" if site.gains_nothing and one else "")
    each = "each of these layers" if len(found.layers) > 1 else "the layer"
    does = "a single unit" if one else "a part of its units"
    because = (
        f"{capital(_told(found))}: they have the same weights and get the same gradient, so that training keeps them "
        f"the same, and {each} can do no more than {does} could. So it was in all {count(len(found.looks), 'look')} "
        f"that saw a gradient there, steps {found.looks[0].step:,} to {found.looks[-1].step:,}."
    )
    because += f" With that, {shown}." if shown else ""
    evidence: Evidence = {
        "units": first.units, "different": first.different, "layers": len(found.layers), "looks": len(found.looks),
        "names": ", ".join(layer.name for layer in found.layers[:8]),
    }  # fmt: skip
    where: Where = {"module": first.module} if first.module else {}
    how = f"units that differ: {first.different} of {first.units}, in {len(found.looks)} ≥ {MIN_LOOKS} looks"
    named = [layer.name for layer in found.layers if layer.module or layer.kind]
    remedy = UNLIKE_UNITS.remedy(facts.seen.root_of(first.module), named if len(named) == len(found.layers) else ())
    severity: Severity = "error" if shown and one else "warning"
    return RULE.finding(severity, {**where, "site": site.name}, evidence, because, (remedy,), how)


def _told(found: CopiedLayers) -> str:
    """The layers and their units, as the subject of a sentence with its verb."""
    told = [_units(layer) for layer in found.layers[:MOST_TOLD]]
    more = len(found.layers) - len(told)
    told += [f"those of {count(more, 'more layer')}"] if more else []
    words = " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)
    return f"{words} are copies of one another"


def _units(layer: CopiedUnits) -> str:
    own = layer.name.rpartition(".")[2]
    of = f"`{shortened(layer.module, 40)}`" if layer.kind else f"`{layer.name}`" if layer.module else layer.name
    of += f" (`{own}`)" if own.startswith("weight_ih_l") else ""
    twins = "" if layer.different == 1 else f" ({layer.different:,} different ones)"
    return f"the {layer.units:,} units of {of}{twins}"


RULE = Rule(
    code="GR205",
    slug="copied-units",
    title="units that are copies of one another",
    severities=("error", "warning"),
    family="depth",
    explain=Explanation(
        cause="Units with the same incoming weights put out the same. Where what follows treats them alike as well, "
        "they get the same gradient and take the same step: nothing ever tells them apart, and a layer of a thousand "
        "does what one of them could. So it is after a constant start of two layers in a row, after zeros where a "
        "gradient still flows, and where trained units were repeated to make a layer wider.",
        mathematics=(
            "w_i = w_j and ∂L/∂w_i = ∂L/∂w_j   ⟹   w_i = w_j after the step, of whatever optimizer",
            "∂L/∂w_i = Σ δ_i x; where the next layer has equal weights for both units, δ_i = δ_j",
        ),
        thresholds="Incoming weights, biases among them, and their gradients are the same up to rounding (1e-4 of "
        "their size) for pairs or larger groups of units, so that each unit of the layer has a twin, in every look at "
        f"which a gradient comes to it, {MIN_LOOKS} at least; something with weights must follow the layer. A start of "
        "zeros or of one value is no fault by itself: where the gradient tells the units apart, as in the last layer "
        "of a residual branch, the B of LoRA or a new head, it is silent. An error where each of these layers has but "
        "one kind of unit, and the loss does not fall or hardly; else a warning.",
        remedies=("Start the weights at random, as torch's layers do by themselves: free.",),
        silence="Where noise or dropout is to come later that tells the copies apart.",
        references=("Goodfellow, Bengio and Courville (2016): Deep learning, section 8.4",),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    labels={"different": "units that differ", "layers": "layers", "names": "weights"},
    zoo=("gr205_constant_start", "gr205_repeated_units"),
)
