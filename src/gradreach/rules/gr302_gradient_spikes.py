"""GR302: single norms far out of the ordinary that nothing clipped, with harm to the loss or of giant size."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.spikes import AFTER, DEVIATIONS, GIANT_SPIKE, SPIKE, Spike, enough_norms
from gradreach.facts.wording import figure
from gradreach.record.norm_history import RECORD_SIZE, WINDOW
from gradreach.record.schema import Finding
from gradreach.remedies.advice.clip import CLIP
from gradreach.remedies.advice.look_at_batch import LOOK_AT_BATCH
from gradreach.rules import formula
from gradreach.rules.references import PASCANU
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each line that calls backward with its spikes."""
    if not enough_norms(facts.sites):
        return RuleOutcome(why_not=f"no more than {WINDOW} norms were measured at any place")
    by_site: dict[int, list[Spike]] = {}
    for spike in facts.spikes:
        by_site.setdefault(spike.site, []).append(spike)
    return RuleOutcome(tuple(_finding(facts, spikes) for spikes in by_site.values()))


def _finding(facts: Facts, spikes: Sequence[Spike]) -> Finding:
    worst = max(spikes, key=lambda spike: spike.times)
    harmed = sum(spike.harmed for spike in spikes)
    because = (
        f"at step {worst.step} the norm was {figure(worst.norm)} where {figure(worst.usual)} is usual there, "
        f"{figure(worst.times)} times as much, and nothing clipped it; {len(spikes)} such in the run, {harmed} of them "
        f"with a loss that rose and stayed up over the next {AFTER} steps."
    )
    evidence: Evidence = {
        "norm": worst.norm, "usual_norm": worst.usual, "times": worst.times, "count": len(spikes), "harmed": harmed,
        "steps": ", ".join(str(spike.step) for spike in spikes[:50]),
    }  # fmt: skip
    where: Where = {"step": worst.step, "site": facts.site_name(worst.site)}
    why = "twice the usual norm leaves ordinary steps alone and bounds the rest"
    bounded = CLIP.remedy_because(why, facts.models_at(worst.site), figure(2 * worst.usual))
    limit = facts.thresholds[SPIKE if worst.harmed else GIANT_SPIKE]
    how = f"‖g‖ / median ‖g‖ of {WINDOW} steps before = {formula.quotient(worst.norm, worst.usual)} ≥ {limit:g}"
    return RULE.finding("warning", where, evidence, because, (bounded, LOOK_AT_BATCH.remedy(worst.step)), how)


RULE = Rule(
    code="GR302",
    slug="gradient-spikes",
    title="gradient spikes",
    severities=("warning",),
    family="step",
    explain=Explanation(
        cause="Single batches give a gradient far outside all others: a bad sample, a cliff of the loss, or a batch "
        "on which the model is surely wrong. One such step can undo hundreds, and fills Adam's second moment for "
        "1/(1 − β₂) steps.",
        mathematics=("z = (ln‖g‖ − median) / (1.4826 · median |ln‖g‖ − median|), over the place's last 20 norms",),
        thresholds="Each line that calls backward has its own window, for two losses' norms differ; it is short "
        f"because norms drift as training goes on, and the first {WINDOW} norms are never judged. A spike lies "
        f"{DEVIATIONS:g} deviations and {SPIKE.default:g} times over the median, and {RECORD_SIZE:g} times over every "
        "earlier norm, so that the wide noise of small batches and the rare mistakes of a converged model pass. It "
        f"is reported where no threshold cut it and it did harm (the loss rose by half over the next {AFTER} steps) "
        f"or is {GIANT_SPIKE.default:g} times the median with a loss as far out of line: heavy-tailed noise leaves the "
        "loss where it was.",
        remedies=(
            "Clip at twice the usual norm: free, ordinary steps stay as they are.",
            "Look at the batch: the only remedy for bad data.",
            "Skip such steps: loses the sample; rare true signals with it.",
        ),
        silence="Where rare, strong batches are the signal (sparse rewards).",
        references=(PASCANU, "Zhang, He, Sra, Jadbabaie (2020): Why gradient clipping accelerates training"),
    ),
    judge=judge,
    thresholds=(SPIKE, GIANT_SPIKE),
    zoo=("gr302_corrupt_batches",),
)
