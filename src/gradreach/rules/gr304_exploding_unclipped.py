"""GR304: the norm blew up, the loss went with it, and no threshold was in force."""

from __future__ import annotations

from gradreach.facts.blow_up import BLOW_UP, DIVERGED, BlowUp
from gradreach.facts.facts import Facts
from gradreach.facts.statistics import is_finite
from gradreach.facts.wording import figure
from gradreach.record.schema import Finding, Remedy
from gradreach.remedies.advice.average_passes import AVERAGE_PASSES
from gradreach.remedies.advice.clip import CLIP
from gradreach.remedies.advice.lower_rate import FROM_START, LOWER_RATE
from gradreach.remedies.advice.scale_input import SCALE_INPUT
from gradreach.rules import formula
from gradreach.rules.gr305_update_size import large_before
from gradreach.rules.references import PASCANU
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """The line that calls backward whose norm blew up."""
    if sum(is_finite(norm) for norm in facts.norms) < 2:
        return RuleOutcome(why_not="fewer than two norms were measured")
    blow_up = facts.blow_up
    if blow_up is None or any(step.clip for step in facts.site(blow_up.site).steps):
        return RuleOutcome()
    return RuleOutcome((_finding(facts, blow_up),))


def _clipping(facts: Facts, found: BlowUp) -> str:
    if facts.site(found.site).idle_clip is None:
        return "the script never called a clipping function"
    return "the script's clipping call limits nothing where it stands"


def _summed(facts: Facts) -> str:
    if facts.accumulation is None:
        return ""
    return (
        f" The gradients of up to {facts.accumulation.most} passes are summed for a step. Unless the loss is divided "
        "by their number n, a step is n times as large."
    )


def _finding(facts: Facts, found: BlowUp) -> Finding:
    then = "and then became non-finite" if found.ends_nonfinite else f"and the loss went to {figure(found.loss_after)}"
    early = " and did so from the first steps on" if found.from_start else ""
    because = (
        f"the norm grew from {figure(found.before)} to {figure(found.peak)} by step {found.step}{early}, {then}; "
        f"{_clipping(facts, found)}.{_summed(facts)}"
    )
    evidence: Evidence = {
        "usual_norm": found.before, "largest_norm": found.peak, "times": found.peak / found.before,
        "loss_before": found.loss_before, "loss_after": found.loss_after, "ends_nonfinite": found.ends_nonfinite,
        "from_start": found.from_start,
    }  # fmt: skip
    where: Where = {"step": found.step, "site": facts.site_name(found.site)}
    how = f"‖g‖ / ‖g‖ before = {formula.quotient(found.peak, found.before)} ≥ {facts.thresholds[BLOW_UP]:g}; "
    how += (
        "then it is not finite"
        if found.ends_nonfinite
        else f"loss {figure(found.loss_before)} → {figure(found.loss_after)}"
    )
    return RULE.finding("error", where, evidence, because, _remedies(facts, found), how)


def _remedies(facts: Facts, found: BlowUp) -> tuple[Remedy, ...]:
    """A threshold only where there was an ordinary norm to take it from; behind a lower rate where the updates were too
    large before the norm grew, for these a threshold leaves as they are."""
    why, large = "bounds every step at twice the norm of the sound ones", large_before(facts, found.site, found.step)
    clip = CLIP.remedy_because(why, facts.seen.models_at(found.site), figure(2 * found.before), facts.is_scaled)
    slower = FROM_START if found.from_start else "a rate above 2 / curvature diverges with any clipping, only slower"
    if large is not None and not found.from_start:
        slower = f"before the norm grew an update changed `{large[0]}` by {figure(large[1])} of its size already"
    lower = LOWER_RATE.remedy_because(slower, 10.0)
    clipped = (clip, lower) if large is None else (lower, clip)
    return (
        *((AVERAGE_PASSES.remedy(),) if facts.accumulation else ()),
        *((lower,) if found.from_start else clipped),
        SCALE_INPUT.remedy(max(facts.seen.input_sizes, key=facts.seen.input_sizes.__getitem__, default="the model")),
    )


RULE = Rule(
    code="GR304",
    slug="exploding-unclipped",
    title="exploding and nothing clips",
    severities=("error",),
    family="step",
    explain=Explanation(
        cause="The norm grew by orders of magnitude while the loss diverged: each update lands where the gradient "
        "is larger still.",
        mathematics=(
            "w ← w − rate · g diverges where rate · curvature > 2, and where the product of Jacobians "
            "exceeds 1 for long",
        ),
        thresholds=f"The largest norm is {BLOW_UP.default:g} times the median of the first half and falls into the "
        f"second half; the loss ends above {DIVERGED.default:g} times its first value, or the step becomes non-finite "
        "other than by its data; and no clipping call was seen at that place. Norms of adversaries, or of a model that "
        "grows sure of itself, change by 10 or so and the loss does not leave its range.",
        remedies=(
            "Clip by the global norm: free, keeps the direction; where there was an ordinary norm to clip at.",
            "A lower rate: slower; removes the cause where the rate is too high, by itself or by a momentum, as it is "
            "where the norm grew from the first steps on, or the updates were too large before it grew (GR305).",
        ),
        silence="Where divergence is what is studied.",
        references=(PASCANU, "Mikolov (2012): Statistical language models based on neural networks"),
    ),
    judge=judge,
    thresholds=(BLOW_UP, DIVERGED),
    opening="Your gradients explode and nothing clips them in",
    urgency=2,
    zoo=("gr304_diverges",),
)
