"""GR318: weights in half precision, which the steps are too short to change."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.half import FULL_RATE, SMALLEST_CHANGE, Rounded
from gradreach.facts.site import Site
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding
from gradreach.remedies.advice.float32_weights import FLOAT32_WEIGHTS
from gradreach.rules.gr305_update_size import UPDATE_TOO_SMALL
from gradreach.rules.harm import graded
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

LOST = 0.7
"""Share of a step, weighed by what it was to bring, from which on what arrives is too little."""

NEARLY_ALL = 0.9
"""The same from which on next to nothing arrives."""

MOST_WEIGHTS = 0.5
"""Share of the stepped weights that must be in half precision for the training to hang on them."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line after which an optimizer of torch steps weights in half precision."""
    told = [(site, each) for site in facts.sites if (each := facts.updates[site.number].rounded) is not None]
    if not told:
        return RuleOutcome(why_not=f"no optimizer of torch stepped weights in half precision at {MIN_LOOKS} looks")
    least = facts.thresholds[UPDATE_TOO_SMALL]
    found = [(site, each) for site, each in told if each.weighed >= LOST and each.asked > least]
    return RuleOutcome(tuple(_finding(facts, site, each) for site, each in found))


def _finding(facts: Facts, site: Site, found: Rounded) -> Finding:
    severity, shown = graded(facts, site, is_grave=found.weighed >= NEARLY_ALL)
    if found.part < MOST_WEIGHTS:
        severity, shown = "info", ""
    least = SMALLEST_CHANGE[found.dtype]
    because = (
        f"{percent(found.lost)} of the weights hold the very same number after a step of {found.optimizer} as before, "
        f"though it asked for another: they are kept in {found.dtype}, in which a change under {percent(least)} of a "
        f"weight is rounded away, and a step asks for one of {figure(found.asked)} of their size. Weighed by what each "
        f"was to bring, {percent(found.weighed)} of a step is lost"
    )
    because += f", and {shown}." if shown else "; harmless as long as the loss falls as it should."
    evidence: Evidence = {
        "lost": found.lost, "weighed": found.weighed, "asked": found.asked, "smallest_change": least,
        "dtype": found.dtype, "optimizer": found.optimizer, "rate": found.rate, "part": found.part,
        "looks": found.looks,
    }  # fmt: skip
    how = f"w + Δw rounds to w where |Δw| < {figure(least)} |w|; lost of Σ |g Δw|: "
    how += f"{percent(found.weighed)} ≥ {percent(LOST)}"
    where: Where = {"site": site.name}
    return RULE.finding(severity, where, evidence, because, (FLOAT32_WEIGHTS.remedy(),), how)


RULE = Rule(
    code="GR318",
    slug="lost-updates",
    title="updates lost to rounding",
    severities=("error", "warning", "info"),
    family="step",
    explain=Explanation(
        cause="bfloat16 has 8 binary digits, float16 has 11. A sum is rounded to them: a weight of 1 plus a step of "
        "0.001 is 1 again in bfloat16, at this step and at each one after it. Only large steps, and those of small "
        "weights, get through. Autocast does not do this: it computes in half precision and keeps the weights in "
        "float32.",
        mathematics=(
            "w + Δw rounds to w where |Δw| is under half the distance to the next number: 2^-9 |w| … 2^-8 |w| in "
            "bfloat16, 2^-12 |w| … 2^-11 |w| in float16",
            "weighed share = Σ |g Δw| over the weights that stayed ÷ Σ |g Δw| over all: to first order the part of the "
            "loss's fall that does not come",
        ),
        thresholds="At looks the weights are compared before and after the step, where torch's own SGD, Adam or AdamW "
        "makes it, of which the step without rounding is known; another optimizer may keep float32 weights beside "
        f"these. Only steps at {percent(FULL_RATE)} of the highest learning rate or more are judged, at {MIN_LOOKS} "
        f"looks at least, and only where a step asks for more than {figure(UPDATE_TOO_SMALL.default)} of the weights: "
        f"else the rate is what is too small, GR305. It speaks where in the median {percent(LOST)} is lost, weighed by "
        "|gradient × step|, so that weights that hardly count do not. A warning where the loss does not fall, hardly, "
        "still falls with more than half of its first value left, or has come to little less than a constant guess; "
        f"an error where it does not fall or rests where a constant guess gets it and {percent(NEARLY_ALL)} is lost; "
        "elsewhere information.",
        remedies=(
            "Float32 weights, with autocast for the products: the usual way; 2 bytes more a weight.",
            "A float32 copy that the optimizer steps, from which the weights are copied: the same by hand.",
        ),
        silence="For short fine-tuning that is meant to move few weights.",
        references=(
            "Micikevicius et al. (2018): Mixed precision training",
            "Zamirai, Zhang, Aberger, De Sa (2020): Revisiting BFloat16 training",
        ),
    ),
    judge=judge,
    headline=headline,
    urgency=2,
    effects=("GR305", "GR309", "GR403"),
    labels={
        "lost": "weights that stayed",
        "weighed": "of the step lost",
        "asked": "update asked for ‖Δw‖/‖w‖",
        "part": "weights in half precision",
    },
    zoo=("gr318_bfloat16_sgd", "gr318_bfloat16_adam"),
)
