"""What a run comes to in one sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gradreach.facts.facts import Facts
from gradreach.facts.modules import of_one_stack
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import capital, count, shortened
from gradreach.record.kinds import of_layer
from gradreach.record.schema import Finding, Record
from gradreach.report.finding_text import place, told
from gradreach.rules.registry import RULES

Level = Literal["error", "warning", "info", "healthy", "unseen"]

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")
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


def verdict(facts: Facts, findings: Sequence[Finding]) -> Verdict:
    """The run in one sentence: its worst finding, the first one, or that it is healthy, or that nothing was seen."""
    record = facts.record
    if not record.steps:
        return Verdict("unseen", f"No backward pass was seen: {_unseen(record)}.")
    if not findings and len(record.looks) < MIN_LOOKS:
        few = f"{len(record.looks)} of {count(record.passes, 'step')}"
        return Verdict(
            "healthy",
            f"No fault found, but only {few} watched closely, too few for most checks; --every 10 shows more.",
        )
    if not findings:
        return Verdict("healthy", f"Healthy: {_seen(facts)}, and no rule found fault.")
    alike = [finding for finding in findings if _is_alike(findings[0], finding)]
    worst = min(alike, key=_reached, default=findings[0])
    harmless = all(_nothing_far(findings, finding.where.get("module")) for finding in alike)
    others = len({finding.code if finding.severity == "info" else rank for rank, finding in enumerate(findings)}) - 1
    more = f" ({count(others, 'more finding')} below.)" if others else ""
    return Verdict(worst.severity, f"{_sentence(facts, worst, len(alike) - 1, harmless)}{more}")


def _is_alike(one: Finding, other: Finding) -> bool:
    """Whether the list shows both as one: information under one code."""
    return one.severity == other.severity == "info" and one.code == other.code


def _reached(finding: Finding) -> float:
    """The part of the sequence that a vanishing gradient reaches; 1 for findings of other things."""
    horizon, T = finding.evidence.get("horizon"), finding.evidence.get("T")
    return horizon / max(T, 1) if isinstance(horizon, int) and isinstance(T, int) else 1.0


def _sentence(facts: Facts, finding: Finding, others: int, harmless: bool) -> str:
    rule = RULES.get(finding.code)
    if rule is not None and rule.headline is not None:
        return rule.headline(facts, finding)
    where = told(finding.where)
    at = place({key: where[key] for key in ("module", "layer", "direction") if key in where})
    opening = rule.opening if rule is not None else ""
    head = f"{opening} {at or 'this run'}" if opening else f"{capital(finding.title)}{f' at {at}' if at else ''}"
    if finding.severity == "info":
        aside = rule.aside(finding) if rule is not None and rule.aside is not None else ""
        also = f" (likewise in {count(others, 'other place')})" if others > 0 else ""
        return f"No harm is {'found' if harmless else 'proven'}. {head}{aside}{also}."
    return f"{head}: {_SENTENCE_END.split(finding.because, maxsplit=1)[0]}"


def _nothing_far(findings: Sequence[Finding], module: object) -> bool:
    """Whether the data was asked at the place of this module, and holds nothing past the horizon."""
    return any(f.code == "GR401" and of_one_stack(str(f.where.get("module")), str(module)) for f in findings)


def _seen(facts: Facts) -> str:
    record = facts.record
    steps = f"{count(record.passes, 'step')}, {len(record.looks)} of them watched closely"
    if facts.shortest is None:
        return steps
    seen = facts.shortest.layer
    return f"{steps}, the gradient reaches {seen.horizon} of {seen.T - 1} steps back in {of_layer(seen)}"


def _unseen(record: Record) -> str:
    script, how = record.run.script, ending(record)
    return f"{script} called none before {how}" if how else f"{script} ran to its end without calling one"


def ending(record: Record) -> str:
    """How the run ended where that is worth a word; empty for one that finished."""
    lines = record.outcome.error.strip().splitlines() or ["an error"]
    return _ENDINGS[record.outcome.how].format(error=shortened(lines[0], 160))
