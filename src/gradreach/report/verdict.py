"""What a run comes to in one sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gradreach.facts.course import MIN_LOOKS, first_break
from gradreach.facts.legacy_dependency import of_stack
from gradreach.facts.wording import capital, count, shortened
from gradreach.record.kinds import of_layer
from gradreach.record.schema import Finding, Record, Severity
from gradreach.report.finding_text import place, told
from gradreach.report.json_report import time_shown

Level = Literal["error", "warning", "info", "healthy", "unseen"]
ORDER: tuple[Severity, ...] = ("error", "warning", "info")

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
    shows = "shows" if phase == "loss" and not finding.evidence.get("replayed") else "arose"
    return f"the first {value} {shows} in {_ARISES[phase]}{module}{operation}{at}"


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
