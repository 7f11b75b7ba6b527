"""GR319: gradients in float16 that come too close to 0."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.half import Underflowed
from gradreach.facts.site import Site
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure, percent, shortened
from gradreach.record.schema import Finding, Remedy
from gradreach.remedies.advice.float32_weights import FLOAT32_WEIGHTS
from gradreach.remedies.advice.scale_loss import SCALE_LOSS
from gradreach.remedies.advice.wider_format import WIDER_FORMAT
from gradreach.rules.harm import graded
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

SMALLEST = 2.0**-24
"""The smallest number of float16 above 0."""

WRONG = 0.1
"""Share of the trained weights whose gradient is more wrong than right, from which on it is told."""

MOST_WRONG = 0.5
"""The same from which on the training hangs on it."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line whose backward pass goes through float16."""
    told = [(site, each) for site in facts.sites if (each := facts.updates[site.number].underflowed) is not None]
    if not told:
        return RuleOutcome(why_not=f"{MIN_LOOKS} looks compared no gradients in float16 with those of a larger loss")
    return RuleOutcome(tuple(_finding(facts, site, each) for site, each in told if each.wrong >= WRONG))


def _finding(facts: Facts, site: Site, found: Underflowed) -> Finding:
    severity, shown = graded(facts, site, is_grave=found.wrong >= MOST_WRONG)
    under = "without a loss scale" if found.scale == 1.0 else f"under a loss scale of {figure(found.scale, 6)}"
    because = (
        f"{percent(found.lost)} of the gradient's numbers are exactly 0 in float16 {under}, and are not from a loss "
        f"{found.times:,.0f} times as large: what falls under {figure(SMALLEST)} on its way back is 0. The gradients "
        f"of {percent(found.wrong)} of the weights are more wrong than right for it{_in(found)}"
    )
    because += f", and {shown}." if shown else "; harmless as long as the loss falls as it should."
    evidence: Evidence = {
        "lost": found.lost, "wrong": found.wrong, "times": found.times, "loss_scale": found.scale,
        "modules": len(found.modules), "looks": found.looks,
    }  # fmt: skip
    how = f"|g| < 2^-25 rounds to 0: ‖g − g*‖ ≥ ½ ‖g*‖ for {percent(found.wrong)} ≥ {percent(WRONG)} of the w"
    where: Where = {"site": site.name, **({"module": found.modules[0]} if found.modules else {})}
    return RULE.finding(severity, where, evidence, because, _remedies(found), how)


def _in(found: Underflowed) -> str:
    """The modules that they belong to, in words."""
    told = ", ".join(f"`{shortened(name, 40)}`" for name in found.modules[:3])
    more = f" and {count(len(found.modules) - 3, 'other')}" if len(found.modules) > 3 else ""
    return f", in {told}{more}" if told else ""


def _remedies(found: Underflowed) -> tuple[Remedy, ...]:
    if found.is_pure:
        return (FLOAT32_WEIGHTS.remedy(),)
    return SCALE_LOSS.remedy(found.scale), WIDER_FORMAT.remedy_because("bfloat16 goes down to 1e-38, as float32 does")


RULE = Rule(
    code="GR319",
    slug="underflow",
    title="gradients that underflow in float16",
    severities=("error", "warning", "info"),
    family="step",
    explain=Explanation(
        cause="The smallest number of float16 is 6e-8, and under 6e-5 it loses digits. Gradients are often smaller: a "
        "mean over a batch divides them by its size, and each layer may shrink them. What falls under the smallest "
        "number is 0. A loss multiplied by a large number lifts all gradients alike; a GradScaler does so and divides "
        "them again in float32 before the step.",
        mathematics=(
            "|g| < 2^-25 rounds to 0;   |g| < 2^-14 has fewer digits than the 11 of float16",
            "g* = (∂(s L)/∂w) / s: the same operations from a loss s = 2^12 or 2^4 times as large, exact but for what "
            "underflows; what differs, g − g*, is what it took",
        ),
        thresholds="At looks that may pass once more over the script's own graph the gradients are compared with those "
        "of a loss 4,096 times as large, or 16 times where the first overflows. Numbers that are 0 in both, as behind "
        f"a ReLU or in unused rows, are no loss. It speaks where the gradients of {percent(WRONG)} of the weights are "
        f"off by half of their norm or more, in the median of the last half of {MIN_LOOKS} looks or more. A warning "
        "where the loss does not fall, hardly, still falls with more than half of its first value left, or has come to "
        "little less than a constant guess; an error where it does not fall or rests where a constant guess gets it, "
        f"and {percent(MOST_WRONG)} of the weights are concerned; elsewhere information.",
        remedies=(
            "A GradScaler, or a higher initial scale: free; its first steps may be skipped.",
            "bfloat16 in place of float16: free; it has 8 binary digits in place of 11.",
            "Float32 weights, where they are float16 themselves: a GradScaler refuses those.",
        ),
        silence="Late in a training that has learned what there is.",
        references=(
            "Micikevicius et al. (2018): Mixed precision training",
            "IEEE 754 (2019): Standard for floating-point arithmetic",
        ),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    effects=("GR305", "GR307", "GR309", "GR318", "GR403"),
    labels={"lost": "numbers that became 0", "wrong": "weights concerned", "times": "larger loss beside it"},
    zoo=("gr319_float16_without_scale", "gr319_scale_of_two", "gr319_pure_float16"),
)
