"""GR204: most units of a hidden ReLU layer are off for every sample, look after look."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.statistics import is_finite, known, median, most
from gradreach.facts.thresholds import Threshold
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import percent
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.depth import DepthLook
from gradreach.remedies.advice.fresh_start import FRESH_START
from gradreach.remedies.advice.leaky import LEAKY
from gradreach.remedies.advice.learning_rate import LEARNING_RATE
from gradreach.remedies.advice.scale_input import SCALE_INPUT
from gradreach.rules.references import HE
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

DEAD = Threshold("dead", 0.9, 0.01, 1.0, "share of a layer's units that are zero for the whole batch")

FEWEST_UNITS = 4
"""Units of a layer below which a share means little."""

NOTABLE = 0.5
"""Share of dead units from which a layer is told of, though it may well be sparse."""

FEWEST_ROWS = 64
"""Values of each unit from which one that is zero in all of them is more than sparse."""

GREW = 0.1
"""Growth of the share from the first look to the last that is worth a word: then training kills the units."""


def judge(facts: Facts) -> RuleOutcome:
    """Each hidden ReLU that is off in most of its looks; the first line that calls backward speaks for it."""
    modules = {
        key: usable
        for key, looks in facts.seen.hidden_activations.items()
        if (usable := [seen for seen in looks if is_finite(seen.dead) and seen.units >= FEWEST_UNITS])
        and len(usable) >= MIN_LOOKS
    }
    if not modules:
        units = f"{FEWEST_UNITS} units or more"
        return RuleOutcome(why_not=f"no hidden ReLU activation of {units} was watched {MIN_LOOKS} times")
    found: dict[str, Finding] = {}
    for (number, module), looks in modules.items():
        if facts.starts_at_zero(number):  # units whose weights are all 0 are not dead: see GR307
            continue
        if facts.seen.root_of(module) in facts.seen.lost_data:  # all rows are alike to them, and on or off: see GR701
            continue
        if (severity := _severity(facts, facts.site(number), looks)) is not None:
            found.setdefault(module, _finding(facts, number, looks, severity))
    return RuleOutcome(tuple(found.values()))


def _severity(facts: Facts, site: Site, looks: Sequence[DepthLook]) -> Severity | None:
    """A warning where nearly all are dead, or half of them while the loss does not fall; information of half of them.

    None of fewer, and of too few values to tell a dead unit from one that is seldom on.
    """
    shares = known(seen.dead for seen in looks)
    if most([share >= facts.thresholds[DEAD] for share in shares]):
        return "warning"
    rows = median([float(seen.rows) for seen in looks])
    if rows < FEWEST_ROWS or not most([share >= NOTABLE for share in shares]):
        return None
    return "warning" if site.stalled or site.worse_than_at_first else "info"


def _finding(facts: Facts, number: int, looks: Sequence[DepthLook], severity: Severity) -> Finding:
    seen, site, shares = looks[-1], facts.site(number), known(look.dead for look in looks)
    share = min(median(shares), 1.0)
    limit = facts.thresholds[DEAD] if share >= facts.thresholds[DEAD] else NOTABLE
    values = f" ({seen.rows:,} values of each)" if seen.rows else ""
    because = (
        f"{round(share * seen.units)} of {seen.units} units ({percent(share, 3)}, the median) are zero for every "
        f"sample of the batch{values} in {sum(s >= limit for s in shares)} of {len(shares)} looks{_course(shares)}: "
        "their slope is 0, so no gradient can bring them back"
    )
    if share < facts.thresholds[DEAD]:
        because += (
            ", and the loss does not fall" if severity == "warning" else "; harmless as long as the rest is enough"
        )
    evidence: Evidence = {
        "dead": share, "units": seen.units, "rows": seen.rows, "looks": len(shares), "grad_rms": seen.grad_rms,
    }  # fmt: skip
    where: Where = {"module": seen.module, "kind": seen.kind, "site": site.name}
    remedies = (
        FRESH_START.remedy(_fed(facts, seen).module),
        LEARNING_RATE.remedy(10.0),
        LEAKY.remedy(seen.module, seen.kind, facts.seen.root_of(seen.module)),
        SCALE_INPUT.remedy(facts.seen.root_of(seen.module)),
    )
    how = f"relu′(a) = 0 for a < 0: ∂L/∂w = Σ δ · relu′(a) · x = 0 in {percent(share, 3)} ≥ {percent(limit, 3)} of "
    how += f"{seen.units} units"
    return RULE.finding(severity, where, evidence, because + ".", remedies, how)


def _course(shares: Sequence[float]) -> str:
    """How the share went, where it grew: "from 3.1 % at the first"."""
    grown = shares[-1] - shares[0] >= GREW
    return f", {percent(shares[0])} at the first and {percent(shares[-1])} at the last" if grown else ""


def _share(finding: Finding) -> str:
    share, units = finding.evidence.get("dead"), finding.evidence.get("units")
    return f": {percent(share)} of {units}" if isinstance(share, float) and isinstance(units, int) else ""


def _fed(facts: Facts, seen: DepthLook) -> DepthLook:
    """The layer whose sums enter an activation."""
    look = next(look for look in reversed(facts.record.looks) if seen in look.depth)
    before = [other for other in look.depth if other.parameters and other.order <= seen.order]
    return max(before, key=lambda other: other.order, default=seen)


RULE = Rule(
    code="GR204",
    slug="dead-units",
    title="dead units",
    severities=("warning", "info"),
    family="depth",
    explain=Explanation(
        cause="A ReLU unit whose sum is negative for every sample puts out zero, has slope zero, and so gets no "
        "gradient that could change it.",
        mathematics=("relu′(a) = 0 for a < 0:   ∂L/∂w = Σ_samples δ · relu′(a) · x = 0",),
        thresholds=f"From {percent(DEAD.default, 3)} of a layer's units (of {FEWEST_UNITS} or more), zero for the "
        "whole batch, in two looks of three and the last one. The bar is high because healthy ReLU layers are sparse: "
        f"where a unit is on for a tenth of all samples, nine in ten are off in a batch of one. From "
        f"{percent(NOTABLE, 3)} on, of {FEWEST_ROWS} values of each unit or more, it is told as information, and a "
        "warning where the loss does not fall.",
        remedies=(
            "A fresh start of the layer: free, where it was dead before the first step for its own weights or biases.",
            "Leaky ReLU of slope 0.2: free; activations are no longer sparse. A slope of 0.01 seldom brings them back.",
            "A lower learning rate or a warm-up: slower at first.",
            "Scaled inputs and biases of 0: free.",
        ),
        silence="Where a layer is meant to be extremely sparse.",
        references=(HE, "Lu, Shin, Su, Karniadakis (2020): Dying ReLU and initialization"),
    ),
    judge=judge,
    thresholds=(DEAD,),
    heading="If more of them are needed",
    opening="Many units are dead at",
    aside=_share,
    labels={"rows": "values of each unit"},
    zoo=("gr204_dead_bias", "gr204_dead_large_step"),
)
