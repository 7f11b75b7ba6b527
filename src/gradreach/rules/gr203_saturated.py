"""GR203: a hidden layer's units sit where tanh or logistic are flat, from the start or while the loss stalls."""

from __future__ import annotations

from gradreach.facts.activations import SATURATED
from gradreach.facts.facts import Facts
from gradreach.facts.statistics import is_finite, known, median, most
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import percent
from gradreach.record.schema import Finding, Remedy
from gradreach.record.seen.depth import DepthLook
from gradreach.remedies.advice.initial_scale import INITIAL_SCALE
from gradreach.remedies.advice.layer_norm import LAYER_NORM
from gradreach.remedies.advice.scale_input import SCALE_INPUT
from gradreach.remedies.advice.spelling import expression
from gradreach.rules import formula
from gradreach.rules.references import GLOROT
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each hidden activation that is flat in most of its looks; the first line that calls backward speaks for it."""
    modules = {
        key: usable
        for key, looks in facts.seen.hidden_activations.items()
        if (usable := [each for each in looks if each.activation in ("tanh", "sigmoid") and is_finite(each.saturated)])
        and len(usable) >= MIN_LOOKS
    }
    if not modules:
        return RuleOutcome(why_not=f"no hidden tanh or logistic activation was watched {MIN_LOOKS} times")
    found: dict[str, Finding] = {}
    for (number, module), looks in modules.items():
        site, shares = facts.site(number), known(seen.saturated for seen in looks)
        flat = [share >= facts.thresholds[SATURATED] for share in shares]
        if most(flat) and (flat[0] or site.stalled or site.worse_than_at_first):
            found.setdefault(module, _finding(facts, site.name, looks[-1], median(shares)))
    return RuleOutcome(tuple(found.values()))


def _finding(facts: Facts, site: str, seen: DepthLook, share: float) -> Finding:
    because = (
        f"{percent(share, 3)} of its {seen.activation} activations have less than 5 % of their largest slope, look "
        f"after look: on average at most {percent(1 - 0.95 * share, 3)} of the gradient passes to the layers below."
    )
    evidence: Evidence = {
        "saturated": share, "activation": seen.activation, "activation_rms": seen.activation_rms,
        "grad_rms": seen.grad_rms,
    }  # fmt: skip
    where: Where = {"module": seen.module, "kind": seen.kind, "site": site}
    return RULE.finding("warning", where, evidence, because, _smaller_sums(facts, seen), formula.mean_slope(share))


def _smaller_sums(facts: Facts, seen: DepthLook) -> tuple[Remedy, ...]:
    """Smaller sums: by the input, by the weights of the layer that feeds the activation, or by normalisation."""
    look = next(look for look in reversed(facts.record.looks) if seen in look.depth)
    before = [other for other in look.depth if other.parameters and other.order <= seen.order]
    fed = max(before, key=lambda other: other.order, default=seen)
    return (
        SCALE_INPUT.remedy(facts.seen.root_of(seen.module)),
        INITIAL_SCALE.remedy(f"{expression(fed.module)}.weight", seen.activation),
        LAYER_NORM.remedy(fed.module, fed.kind, fed.units),
    )


RULE = Rule(
    code="GR203",
    slug="saturated",
    title="saturated activations",
    severities=("warning",),
    family="depth",
    explain=Explanation(
        cause="The sums that enter tanh or a logistic function are so large that it is flat there; the layers below "
        "learn next to nothing.",
        mathematics=(
            "tanh′(a) < 0.05 from |a| = 2.2 on;   σ′(a) < 0.05 · 1/4 from |a| = 4.4 on",
            formula.MEAN_SLOPE,
        ),
        thresholds=f"From {percent(SATURATED.default, 3)} of a hidden layer's activations, in two looks of three and "
        "the last one: a quarter of the gradient passes on average, at most. Of tanh units whose sums have deviation 1 "
        "only 3 % are so flat. It must be so from the first look, or the loss stand still: features that grow decided "
        "while the loss falls are healthy. Outputs, after which no weights follow, saturate rightly.",
        remedies=(
            "Scale the inputs: free, and right in any case.",
            "Smaller initial weights: free.",
            "Normalisation before the activation: a little time.",
        ),
        silence="Where units are meant to be binary (hashing, hard attention).",
        references=(GLOROT,),
    ),
    judge=judge,
    thresholds=(SATURATED,),
    zoo=("gr203_saturated_tanh",),
)
