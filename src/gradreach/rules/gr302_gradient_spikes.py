"""GR302: single norms or losses far out of the ordinary that nothing clipped, with harm or of giant size."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.spikes import AFTER, DEVIATIONS, GIANT_SPIKE, SPIKE, Spike, enough_steps
from gradreach.facts.wording import figure
from gradreach.record.norm_history import RECORD_SIZE, WINDOW
from gradreach.record.schema import Finding, Remedy, Severity
from gradreach.remedies.advice.clip import CLIP
from gradreach.remedies.advice.look_at_batch import LOOK_AT_BATCH
from gradreach.rules import formula
from gradreach.rules.references import PASCANU
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each line that calls backward with its spikes."""
    if not enough_steps(facts.sites):
        return RuleOutcome(why_not=f"no more than {WINDOW} norms or losses were known at any place")
    by_site: dict[int, list[Spike]] = {}
    for spike in facts.spikes:
        by_site.setdefault(spike.site, []).append(spike)
    return RuleOutcome(tuple(_finding(facts, spikes) for spikes in by_site.values()))


def _finding(facts: Facts, spikes: Sequence[Spike]) -> Finding:
    worst = max(spikes, key=lambda spike: (spike.of == "norm", spike.times))
    harmed, what = sum(spike.harmed for spike in spikes), worst.of
    there = "around it" if worst.early else "there"
    clipped = "nothing clipped it" if what == "norm" else "its norm was not measured, and nothing clips"
    because = (
        f"at step {worst.step} the {what} was {figure(worst.size)} where {figure(worst.usual)} is usual {there}, "
        f"{figure(worst.times)} times as much, and {clipped}; {len(spikes)} such in the run, {harmed} of them "
        f"with a loss that rose and stayed up over the next {AFTER} steps."
    )
    evidence: Evidence = {
        what: worst.size, f"usual_{what}": worst.usual, "times": worst.times, "count": len(spikes), "harmed": harmed,
        "steps": ", ".join(str(spike.step) for spike in spikes[:50]),
    }  # fmt: skip
    where: Where = {"step": worst.step, "site": facts.site_name(worst.site)}
    limit = facts.thresholds[SPIKE if worst.harmed else GIANT_SPIKE]
    sign = "‖g‖" if what == "norm" else "L"
    beside = f"{3 * WINDOW} norms" if worst.early else f"{WINDOW} steps before"
    how = f"{sign} / median {sign} of {beside} = {formula.quotient(worst.size, worst.usual)} ≥ {limit:g}"
    remedies = (*_bounded(facts, worst), LOOK_AT_BATCH.remedy(worst.step))
    severity: Severity = "info" if all(spike.early for spike in spikes) else "warning"
    return RULE.finding(severity, where, evidence, because, remedies, how)


def _bounded(facts: Facts, worst: Spike) -> tuple[Remedy, ...]:
    threshold = facts.suggested_threshold_at(facts.site(worst.site))
    if threshold is None:
        return ()
    why = "leaves ordinary steps alone and bounds the rest"
    return (CLIP.remedy_because(why, facts.seen.models_at(worst.site), figure(threshold, 2), facts.is_scaled),)


RULE = Rule(
    code="GR302",
    slug="gradient-spikes",
    title="gradient spikes",
    severities=("warning", "info"),
    family="step",
    explain=Explanation(
        cause="Single batches give a gradient far outside all others: a bad sample, a cliff of the loss, or a batch "
        "on which the model is surely wrong. One such step can undo hundreds, and fills Adam's second moment for "
        "1/(1 − β₂) steps.",
        mathematics=("z = (ln‖g‖ − median) / (1.4826 · median |ln‖g‖ − median|), over the place's last 20 norms",),
        thresholds="Each line that calls backward has its own window, for two losses' norms differ; it is short "
        f"because norms drift as training goes on, and nothing comes before the first {WINDOW} norms. A spike lies "
        f"{DEVIATIONS:g} deviations and {SPIKE.default:g} times over the median, and {RECORD_SIZE:g} times over every "
        "earlier norm, so that the wide noise of small batches and the rare mistakes of a converged model pass. It "
        f"is reported where no threshold cut it and it did harm (the loss rose by half over the next {AFTER} steps) "
        f"or is {GIANT_SPIKE.default:g} times the median with a loss as far out of line: heavy-tailed noise leaves the "
        f"loss where it was, and reaches no {GIANT_SPIKE.default**2:g} times. Where the norm of a step was not "
        "measured, its loss is judged in the same way. "
        f"The first {WINDOW} norms count where one is {GIANT_SPIKE.default:g} times the median of the first "
        f"{3 * WINDOW}, and the loss grew with it to ten times its first value: that "
        "is information, for the loss came down again.",
        remedies=(
            "Clip at the norm that 99 % of the ordinary steps stay under: free, these stay as they are.",
            "Look at the batch: the only remedy for bad data.",
            "Skip such steps: loses the sample; rare true signals with it.",
        ),
        silence="Where rare, strong batches are the signal (sparse rewards).",
        references=(PASCANU, "Zhang, He, Sra, Jadbabaie (2020): Why gradient clipping accelerates training"),
    ),
    judge=judge,
    thresholds=(SPIKE, GIANT_SPIKE),
    heading="If such steps are to be bounded",
    zoo=("gr302_corrupt_batches",),
)
