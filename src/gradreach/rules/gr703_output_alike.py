"""GR703: a model has come to put out nearly the same for every row."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.outputs import ALIKE, FALLEN, OutputSeries, outputs_seen
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure
from gradreach.record.schema import Finding
from gradreach.remedies.advice.one_batch import ONE_BATCH
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each root whose outputs differed from row to row at first, and do no more, while the loss does not fall."""
    if all(len(series) <= MIN_LOOKS for series in outputs_seen(facts.seen.looks)):
        return RuleOutcome(why_not=f"no output of eight rows or more was seen {MIN_LOOKS + 1} times")
    return RuleOutcome(tuple(_finding(facts, series) for series in facts.alike_outputs))


def _finding(facts: Facts, series: OutputSeries) -> Finding:
    (first_look, first), (last_look, last) = series[0], series[-1]
    site = facts.site(last_look.site)
    because = (
        f"`{last.module}` puts out nearly the same for every row: its {last.rows} outputs differ by "
        f"{figure(last.deviation)} (rms {figure(last.rms)}), and differed by {figure(first.deviation)} at step "
        f"{first_look.step:,}. Whatever goes in, the same comes out, and the loss rests at "
        f"{figure(site.learning.last)}. What draws all outputs together is the loss (a term that is lowest there), a "
        "rate so high that the input was lost, or a layer that passes nothing on."
    )
    evidence: Evidence = {
        "deviation_first": first.deviation, "deviation_last": last.deviation, "rms": last.rms, "rows": last.rows,
        "looks": len(series),
    }  # fmt: skip
    how = f"{figure(last.deviation)} ≤ {figure(FALLEN)} · {figure(first.deviation)}"
    where: Where = {"module": last.module, "site": site.name}
    return RULE.finding("warning", where, evidence, because, (ONE_BATCH.remedy(300),), how)


RULE = Rule(
    code="GR703",
    slug="output-alike",
    title="the same output for every row",
    severities=("warning", "info"),
    family="data",
    explain=Explanation(
        cause="A model whose outputs have drawn together tells nothing of its input: an embedding that collapsed to a "
        "point, a posterior that gave way to its prior, a regression that found the mean and no more.",
        mathematics=("Var over the batch of f(x_i) → 0 while the x_i differ",),
        thresholds=f"In the last {MIN_LOOKS} looks the deviation from row to row is at most {ALIKE:g} of the rms of "
        f"the output, then or at first, and at most {FALLEN:g} of what it was at the first look, and the loss does not "
        "fall any more.",
        remedies=(
            "Train on one batch again and again: it tells a fault of model, loss or loop from a hard task.",
            "A lower rate, or another weight of the terms of the loss: to be found by trial.",
        ),
        silence="Where one and the same output is right for all inputs.",
        references=(
            "Jing and others (2022): Understanding dimensional collapse in contrastive self-supervised learning",
        ),
    ),
    judge=judge,
    headline=headline,
    urgency=80,
    is_symptom=True,
    labels={"deviation_first": "deviation at first", "deviation_last": "deviation at last"},
    zoo=("gr703_collapsed_triplets",),
)
