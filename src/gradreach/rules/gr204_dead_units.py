"""GR204: nearly all units of a hidden ReLU layer are off for every sample, look after look."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.statistics import is_finite, known, median, most
from gradreach.facts.thresholds import Threshold
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import percent
from gradreach.record.schema import DepthLook, Finding
from gradreach.remedies.advice.leaky import LEAKY
from gradreach.remedies.advice.learning_rate import LEARNING_RATE
from gradreach.remedies.advice.scale_input import SCALE_INPUT
from gradreach.rules.references import HE
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

DEAD = Threshold("dead", 0.9, 0.01, 1.0, "share of a layer's units that are zero for the whole batch")

FEWEST_UNITS = 4
"""Units of a layer below which a share means little."""


def judge(facts: Facts) -> RuleOutcome:
    """Each hidden ReLU that is off in most of its looks; the first line that calls backward speaks for it."""
    modules = {
        key: usable
        for key, looks in facts.hidden_activations.items()
        if (usable := [seen for seen in looks if is_finite(seen.dead) and seen.units >= FEWEST_UNITS])
        and len(usable) >= MIN_LOOKS
    }
    if not modules:
        units = f"{FEWEST_UNITS} units or more"
        return RuleOutcome(why_not=f"no hidden ReLU activation of {units} was watched {MIN_LOOKS} times")
    found: dict[str, Finding] = {}
    for (site, module), looks in modules.items():
        shares = known(seen.dead for seen in looks)
        if most([share >= facts.thresholds[DEAD] for share in shares]):
            found.setdefault(module, _finding(facts, site, looks[-1], shares))
    return RuleOutcome(tuple(found.values()))


def _finding(facts: Facts, site: int, seen: DepthLook, shares: Sequence[float]) -> Finding:
    share, limit = min(median(shares), 1.0), facts.thresholds[DEAD]
    values = f" ({seen.rows:,} values of each)" if seen.rows else ""
    because = (
        f"{round(share * seen.units)} of {seen.units} units ({percent(share, 3)}) are zero for every sample of the "
        f"batch{values} in {sum(s >= limit for s in shares)} of {len(shares)} looks: their slope is 0, so no gradient "
        "can bring them back."
    )
    evidence: Evidence = {
        "dead": share, "units": seen.units, "rows": seen.rows, "looks": len(shares), "grad_rms": seen.grad_rms,
    }  # fmt: skip
    where: Where = {"module": seen.module, "kind": seen.kind, "site": facts.site_name(site)}
    remedies = (
        LEAKY.remedy(seen.module, seen.kind),
        LEARNING_RATE.remedy("10"),
        SCALE_INPUT.remedy(facts.root_of(seen.module)),
    )
    how = f"relu′(a) = 0 for a < 0: ∂L/∂w = Σ δ · relu′(a) · x = 0 in {percent(share, 3)} ≥ {percent(limit, 3)} of "
    how += f"{seen.units} units"
    return RULE.finding("warning", where, evidence, because, remedies, how)


RULE = Rule(
    code="GR204",
    slug="dead-units",
    title="dead units",
    severities=("warning",),
    family="depth",
    explain=Explanation(
        cause="A ReLU unit whose sum is negative for every sample puts out zero, has slope zero, and so gets no "
        "gradient that could change it.",
        mathematics=("relu′(a) = 0 for a < 0:   ∂L/∂w = Σ_samples δ · relu′(a) · x = 0",),
        thresholds=f"From {percent(DEAD.default, 3)} of a layer's units (of {FEWEST_UNITS} or more), zero for the "
        "whole batch, in two looks of three and the last one. The bar is high because healthy ReLU layers are sparse: "
        "where a unit is on for a tenth of all samples, nine in ten are off in a batch of one.",
        remedies=(
            "Leaky ReLU or GELU: free; activations are no longer sparse.",
            "A lower learning rate or a warm-up: slower at first.",
            "Scaled inputs and biases of 0: free.",
        ),
        silence="Where a layer is meant to be extremely sparse.",
        references=(HE, "Lu, Shin, Su, Karniadakis (2020): Dying ReLU and initialization"),
    ),
    judge=judge,
    thresholds=(DEAD,),
    labels={"rows": "values of each unit"},
    zoo=("gr204_dead_bias", "gr204_dead_large_step"),
)
