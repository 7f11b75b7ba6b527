"""What a run comes to in one sentence, and the answers to the three questions that people come with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gradreach.display.finding import place, told
from gradreach.display.series import known, quantile
from gradreach.display.wording import capital, count, figure, percent, shortened
from gradreach.record.schema import Finding, Record, Severity
from gradreach.report.document import clip_rate, nonfinite_steps, norms_of, spikes, threshold, time_shown
from gradreach.report.words import of_layer
from gradreach.rules.course import MIN_LOOKS, first_break, kept_out, rate_to_horizon
from gradreach.rules.dependency import of_stack

Level = Literal["error", "warning", "info", "healthy", "unseen"]
ORDER: tuple[Severity, ...] = ("error", "warning", "info")

KEEP = 0.1
"""Share of clipped steps up to which a threshold acts on the exception, and is left alone."""

_OPENING = {
    "GR101": "Your gradients vanish through time in",
    "GR102": "Your gradients explode through time in",
    "GR201": "Your gradients vanish through depth at",
    "GR202": "Your gradients explode through depth at",
    "GR304": "Your gradients explode and nothing clips them in",
    "GR401": "Nothing is left to learn beyond what the gradient reaches in",
    "GR402": "Your gradients vanish before they reach what the data holds in",
}
_ARISES = {
    "input": "the data",
    "parameters": "the weights before the step",
    "forward": "the forward pass",
    "loss": "the loss",
    "backward": "the backward pass",
}
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")
_URGENCY = ("GR301", "GR402", "GR304", "GR202", "GR102", "GR201")
_ENDINGS = {
    "raised": "the script raised {error}",
    "interrupted": "the script was interrupted",
    "stopped": "it was stopped as asked",
    "unknown": "it was killed, or is still running",
    "finished": "",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sentence on the run, and how serious it is: "healthy" and "unseen" stand beside the severities."""

    level: Level
    sentence: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question that people come with."""

    question: str
    answer: str


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """Findings with the most serious first; among equals what broke the run, then the order they came in."""
    return sorted(findings, key=lambda finding: (ORDER.index(finding.severity), _urgency(finding.code)))


def verdict(record: Record, findings: Sequence[Finding]) -> Verdict:
    """The run in one sentence: its worst finding, that it is healthy, or that nothing was seen."""
    if not record.steps:
        return Verdict("unseen", f"No backward pass was seen: {_unseen(record)}.")
    ranked = by_severity(findings)
    if not ranked and len(record.looks) < MIN_LOOKS:
        few = f"{len(record.looks)} of {count(record.passes, 'step')}"
        return Verdict(
            "healthy",
            f"No fault found, but only {few} watched closely, too few for most checks; --every 10 shows more.",
        )
    if not ranked:
        return Verdict("healthy", f"Healthy: {_seen(record)}, and no rule found fault.")
    alike = [finding for finding in ranked if _is_alike(ranked[0], finding)]
    worst = min(alike, key=_reached, default=ranked[0])
    harmless = all(_nothing_far(findings, finding.where.get("module")) for finding in alike)
    others = len({finding.code if finding.severity == "info" else rank for rank, finding in enumerate(ranked)}) - 1
    more = f" ({count(others, 'more finding')} below.)" if others else ""
    return Verdict(
        worst.severity,
        f"{_sentence(record, worst, len(alike) - 1, harmless)}{more}",
    )


def _is_alike(one: Finding, other: Finding) -> bool:
    """Whether the list shows both as one: information under one code."""
    return one.severity == other.severity == "info" and one.code == other.code


def _reached(finding: Finding) -> float:
    """The part of the sequence that a vanishing gradient reaches; 1 for findings of other things."""
    horizon, T = finding.evidence.get("horizon"), finding.evidence.get("T")
    return horizon / max(T, 1) if isinstance(horizon, int) and isinstance(T, int) else 1.0


def answers(record: Record, findings: Sequence[Finding]) -> tuple[Answer, ...]:
    """Is my RNN vanishing? Why did I get NaN at step N? Which clip threshold?"""
    if not record.steps:
        return ()
    first = first_break(record)
    why = "Did anything turn NaN?" if first is None else f"Why did I get NaN at step {first}?"
    return (
        Answer("Is my RNN vanishing?", _is_it_vanishing(record, findings)),
        Answer(why, _why_nan(record, findings, first)),
        Answer("Which clip threshold?", which_threshold(record, findings)),
    )


def suggested_threshold(record: Record, findings: Sequence[Finding]) -> float | None:
    """The threshold that leaves all but 1 % of ordinary steps alone: the 99 % quantile of norms outside spikes."""
    left_out = {*spikes(findings), *nonfinite_steps(record)}
    return quantile(norms_of([step for step in record.steps if step.step not in left_out]), 0.99)


def _sentence(record: Record, finding: Finding, others: int, harmless: bool) -> str:
    if finding.code == "GR301":
        at = finding.where.get("step", first_break(record))
        if finding.severity == "warning":
            return f"The guard kept step {at} out of the weights: {_origin(finding)}."
        return f"Training broke at step {at}: {_origin(finding)}."
    opening = _OPENING.get(finding.code)
    where = told(finding.where)
    at = place({key: where[key] for key in ("module", "layer", "direction") if key in where})
    head = f"{opening} {at or 'this run'}" if opening else f"{capital(finding.title)}{f' at {at}' if at else ''}"
    if finding.severity == "info":
        also = f" (likewise in {count(others, 'other place')})" if others > 0 else ""
        return f"No harm is {'found' if harmless else 'proven'}. {head}{_short_reach(finding)}{also}."
    return f"{head}: {_SENTENCE_END.split(finding.because, maxsplit=1)[0]}"


def _nothing_far(findings: Sequence[Finding], module: object) -> bool:
    """Whether the data was asked at the place of this module, and holds nothing past the horizon."""
    return any(f.code == "GR401" and of_stack(str(f.where.get("module")), str(module)) for f in findings)


def _short_reach(finding: Finding) -> str:
    """How far back a vanishing gradient gets, in half a sentence; the finding has the reason."""
    horizon, T = finding.evidence.get("horizon"), finding.evidence.get("T")
    if finding.code != "GR101" or not isinstance(horizon, int) or not isinstance(T, int):
        return ""
    return f": less than 1 % is left past {horizon} of {T - 1} steps back"


def _origin(finding: Finding) -> str:
    """Where the first non-finite value arose, as far as it is known."""
    phase, where = str(finding.evidence.get("phase", "")), finding.where
    if phase not in _ARISES:
        return "the loss or the gradient is not finite from there on, its origin was not recorded"
    value = "infinity" if finding.evidence.get("value") == "inf" else "NaN"
    module = f" of `{where['module']}`" if where.get("module") else ""
    operation = f" ({finding.evidence['operation']})" if finding.evidence.get("operation") else ""
    at = f", at its time step {where['time_step']}" if "time_step" in where else ""
    return f"the first {value} arose in {_ARISES[phase]}{module}{operation}{at}"


def _is_it_vanishing(record: Record, findings: Sequence[Finding]) -> str:
    shown = [seen for _, seen in time_shown(record)]
    if not shown:
        if any(finding.code == "GR402" for finding in findings):
            return "No recurrent layer ran on a watched step, yet what the error depends on lies out of reach: GR402."
        return "No recurrent layer ran on a watched step, so there is no gradient through time to vanish."
    shown = [seen for seen in shown if known(seen.reach)]
    if not shown:
        return "It cannot be told: no finite gradient through time was seen."
    seen = min(shown, key=lambda seen: seen.horizon / max(seen.T, 1))
    reached = f"{of_layer(seen)} carries at least 1 % of its gradient {seen.horizon} of {seen.T - 1} steps back"
    if (near := rate_to_horizon(seen)) is not None:
        reached += f", times {figure(near)} a step on the way"
    codes = {finding.code for finding in findings}
    lost = [finding.severity for finding in findings if finding.code == "GR402"]
    if "error" in lost:
        return f"Yes, with harm: the data depends on more than the gradient reaches. {reached}."
    if lost:
        return f"Yes, so far: the data depends on more than the gradient reaches, yet the loss still falls. {reached}."
    if "GR102" in codes:
        return f"No, it explodes: {reached}."
    if "GR101" in codes and _nothing_far(findings, seen.module):
        return f"Yes, without harm: {reached}. The data was asked, and nothing to learn was found further back."
    if "GR101" in codes:
        return f"Yes: {reached}. It does harm only where what is to be learned lies further back."
    return f"No: {reached}."


def _why_nan(record: Record, findings: Sequence[Finding], first: int | None) -> str:
    if first is None:
        overflows = len(nonfinite_steps(record))
        if kept := len(kept_out(record).intersection(nonfinite_steps(record))):
            return (
                f"Yes, at {count(kept, 'step')}, but the guard took no update from such a step: the weights are whole."
            )
        if overflows:
            return f"Only {count(overflows, 'overflow')} that the loss scaler meets by skipping the step; harmless."
        measured = len(known(norms_of(record.steps)))
        return f"No: {count(measured, 'measured norm')} of {count(record.passes, 'step')}, all finite."
    because = next((finding.because for finding in findings if finding.code == "GR301"), None)
    return (
        capital(because)
        if because
        else f"From step {first} on the loss or the norm is not finite; where it arose could not be told."
    )


def which_threshold(record: Record, findings: Sequence[Finding]) -> str:
    """What the run's own norms say on the threshold to clip at, one for each line that calls backward."""
    advice = suggested_threshold(record, findings)
    if advice is None:
        return "No finite norm was measured, so no threshold can be told."
    if len({step.site for step in record.steps}) > 1:
        return f"One for each line that calls backward, by its own norms: {_by_site(record, findings)}."
    limit, rate = threshold(record.steps), clip_rate(record.steps)
    if record.guarded is not None and record.guarded.threshold is not None:
        ended = figure(record.guarded.threshold)
        return f"The guard's own: it ended at {ended}, and acted on {percent(rate)} of steps."
    if exploded := _exploded(findings):
        return f"{'Nothing clips by norm' if limit is None else f'Yours is {figure(limit)}'}; {exploded}."
    ordinary = f"{figure(advice, 2)} would act on the largest 1 % of ordinary steps alone"
    if limit is None or rate is None:
        return f"Nothing clips by norm; {ordinary}."
    if 0 < rate <= KEEP:
        return f"Keep yours, {figure(limit)}: it acts on {percent(rate)} of steps."
    return f"Yours, {figure(limit)}, acts on {percent(rate)} of steps; {ordinary}."


def _exploded(findings: Sequence[Finding]) -> str:
    """What to clip at where the run's norms are those of an explosion, which no threshold should follow; else empty."""
    for finding in findings:
        usual = finding.evidence.get("usual_norm")
        if finding.code == "GR304" and isinstance(usual, float):
            return f"{figure(2 * usual, 2)} is twice the norm before it blew up"
    if any(finding.code in ("GR102", "GR202") for finding in findings):
        return "the norms of an exploding gradient tell of none: mend its cause first"
    return ""


def _by_site(record: Record, findings: Sequence[Finding]) -> str:
    told = []
    for site, name in enumerate(record.sites):
        part = replace(record, steps=tuple(step for step in record.steps if step.site == site))
        advice = suggested_threshold(part, findings)
        if advice is not None:
            told.append(f"{figure(advice, 2)} at {name}")
    return ", ".join(told[:4]) + (f" and {len(told) - 4} more" if len(told) > 4 else "")


def _seen(record: Record) -> str:
    shown = [seen for _, seen in time_shown(record)]
    steps = f"{count(record.passes, 'step')}, {len(record.looks)} of them watched closely"
    if not shown:
        return steps
    seen = min(shown, key=lambda seen: seen.horizon / max(seen.T, 1))
    return f"{steps}, the gradient reaches {seen.horizon} of {seen.T - 1} steps back in {of_layer(seen)}"


def _unseen(record: Record) -> str:
    script, how = record.run.script, ending(record)
    return f"{script} called none before {how}" if how else f"{script} ran to its end without calling one"


def ending(record: Record) -> str:
    """How the run ended where that is worth a word; empty for one that finished."""
    lines = record.outcome.error.strip().splitlines() or ["an error"]
    return _ENDINGS[record.outcome.how].format(error=shortened(lines[0], 160))


def _urgency(code: str) -> int:
    return _URGENCY.index(code) if code in _URGENCY else len(_URGENCY)
