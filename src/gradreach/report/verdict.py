"""What a run comes to in one sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gradreach.facts.facts import Facts
from gradreach.facts.known_errors import meaning
from gradreach.facts.learning import FEWEST
from gradreach.facts.losses import LITTLE
from gradreach.facts.modules import of_one_stack
from gradreach.facts.site import Site
from gradreach.facts.statistics import known
from gradreach.facts.time import MIN_LOOKS, past_gaps
from gradreach.facts.wording import capital, count, cut, figure
from gradreach.record.kinds import of_layer
from gradreach.record.schema import Finding, Record
from gradreach.report.finding_text import place, told
from gradreach.report.grouped_findings import grouped
from gradreach.report.learning_text import course, grounds, head, next_question
from gradreach.rules.registry import RULES

Level = Literal["error", "warning", "learns", "stalled", "unseen"]

LONGEST_ERROR = 160
"""Characters of an exception's words from which on their later sentences are left to the traceback."""

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
    """The run in a sentence or two, and how serious it is: as the worst finding, "error" where the script raised one.

    Where nothing was found it "learns", by a loss that fell, with looks that reach into the last fifth of the run; or
    it has "stalled"; or too little is known, "unseen".
    """

    level: Level
    sentence: str


def verdict(facts: Facts, findings: Sequence[Finding], passed: Sequence[str] = ()) -> Verdict:
    """What the run comes to: its worst finding, else whether it learns. `passed` are the checks that found nothing.

    Findings that are mere information are told last, after that.
    """
    record = facts.record
    if not record.steps and not findings:
        return Verdict("unseen", f"No backward pass was seen: {_unseen(record)}.")
    serious = [finding for finding in findings if finding.severity != "info"]
    if serious:
        level: Level = "error" if serious[0].severity == "error" else "warning"
        return Verdict(level, _fault(facts, serious, len(grouped(findings)) - 1))
    also = _also(findings)
    if record.outcome.how == "raised":
        raised = f"The script raised {_error(record)}, after {count(record.passes, 'backward pass', 'backward passes')}"
        means = meaning(record.outcome.error)
        explained = f". {means}." if means else "; nothing that was checked before explains it."
        return Verdict("error", f"{raised}{explained}{also}")
    level, sentence = _course(facts, len(passed), bare=not findings)
    return Verdict(level, f"{sentence}{also}")


def _fault(facts: Facts, serious: Sequence[Finding], others: int) -> str:
    """The sentence on the worst finding, after the exception that ended the script where one did."""
    worst, record = serious[0], facts.record
    more = f" ({count(others, 'more finding')} below.)" if others else ""
    sentence = f"{_sentence(facts, worst)}{more}"
    if record.outcome.how != "raised":
        return sentence
    raised = f"The script raised {_error(record)}."
    return f"{raised} {'' if worst.severity == 'error' else 'Before that: '}{sentence}"


def _course(facts: Facts, passed: int, *, bare: bool) -> tuple[Level, str]:
    """Whether a run without a fault learns, and on what grounds; a `bare` one has no information either."""
    record, found = facts.record, grounds(facts)
    how = f"; {course(facts, found.site)}" if found.site is not None else f"; {found.why_not}"
    if few := _too_few(facts):
        return "unseen", f"Not looked at enough: {few}{how}."
    if found.site is None:
        if any(site.need_not_fall or len(site.losses) >= FEWEST for site in facts.sites):
            return "unseen", f"Nothing found, but whether it learns cannot be told: {found.why_not}."
        return "unseen", f"Not looked at enough: {found.why_not}."
    looked = f"{count(len(record.looks), 'look')}, the last at step {facts.seen.last_look}"
    if found.state == "learns":
        return (
            "learns",
            f"Learns, and nothing found: {course(facts, found.site)}{_guess(facts, found.site)}; "
            f"{looked}{_reach(facts) if bare else ''}.",
        )
    checks = f"{count(passed, 'check')} found nothing, by {looked}" if passed else f"nothing was found by {looked}"
    guesses = found.state == "guesses"
    what = "it is hardly better than a constant guess so far" if guesses else head(found.site)
    went = f"{course(facts, found.site)}{_guess(facts, found.site) if guesses else ''}"
    return "stalled", f"Nothing found, but {what}: {went}. {capital(checks)}. {next_question(found.site)}"


def _guess(facts: Facts, site: Site) -> str:
    """What a constant guess gets, where the loss has come little lower or not even there."""
    known = facts.beside_guess(site)
    if known is None and facts.guesses(site):
        parts = count(sum(part.site == site.number for part in facts.seen.loss_parts), "comparison")
        return f", but none of its {parts} with a target is better than a constant would be"
    if known is None or known[1] < LITTLE:
        return ""
    how = "little" if (site.learning.last or 0.0) < known[0] else "no"
    return f", {how} lower than the {figure(known[0])} that a constant guess gets"


def _too_few(facts: Facts) -> str:
    """What the looks lack to speak for the run, and what would be needed; empty where they do."""
    record, last = facts.record, facts.seen.last_look
    if last is None or len(record.looks) < MIN_LOOKS:
        few = f"only {len(record.looks)} of {count(record.length, 'step')}"
        return f"{few} watched closely, too few for most checks; a longer run, or --every 1, has more"
    if facts.is_late(last):
        return ""
    every = max(record.length // 20, 1)
    return f"the last look stands at step {last} of {record.length:,}; --every {every} would spread them over all"


def _also(findings: Sequence[Finding]) -> str:
    """What is true beside the verdict and harmless as things stand: the first of the information."""
    if not findings:
        return ""
    alike = [finding for finding in findings if finding.code == findings[0].code]
    worst = min(alike, key=_reached)
    harmless = all(_nothing_far(findings, finding.where.get("module")) for finding in alike)
    others = len(grouped(findings)) - 1
    more = f" ({count(others, 'more note')} below.)" if others else ""
    return f" Also (no harm is {'found' if harmless else 'proven'}): {_aside(worst, len(alike) - 1)}{more}"


def _reached(finding: Finding) -> float:
    """The part of the sequence that a vanishing gradient reaches; 1 for findings of other things."""
    horizon, T = finding.evidence.get("horizon"), finding.evidence.get("T")
    return horizon / max(T, 1) if isinstance(horizon, int) and isinstance(T, int) else 1.0


def _sentence(facts: Facts, finding: Finding) -> str:
    rule = RULES.get(finding.code)
    if rule is not None and rule.headline is not None:
        return rule.headline(facts, finding)
    return f"{capital(_named(finding))}: {_SENTENCE_END.split(finding.because, maxsplit=1)[0]}"


def _named(finding: Finding) -> str:
    """What was found, and where: "your gradients vanish through time in `rnn` layer 0"."""
    rule, where = RULES.get(finding.code), told(finding.where)
    at = place({key: where[key] for key in ("module", "layer", "direction") if key in where})
    if rule is not None and rule.opening:
        return f"{rule.opening} {at or 'this run'}"
    return f"{finding.title}{f' at {at}' if at else ''}"


def _aside(finding: Finding, others: int) -> str:
    """A piece of information in half a sentence."""
    rule, named = RULES.get(finding.code), _named(finding)
    more = rule.aside(finding) if rule is not None and rule.aside is not None else ""
    likewise = f" (likewise in {count(others, 'other place')})" if others > 0 else ""
    return f"{named[:1].lower()}{named[1:]}{more}{likewise}."


def _nothing_far(findings: Sequence[Finding], module: object) -> bool:
    """Whether the data was asked at the place of this module, and holds nothing past the horizon."""
    return any(f.code == "GR401" and of_one_stack(str(f.where.get("module")), str(module)) for f in findings)


def _reach(facts: Facts) -> str:
    if facts.seen.shortest is None or not known(facts.seen.shortest.layer.reach):
        return ""
    seen, when = facts.seen.shortest.layer, facts.as_of(facts.seen.shortest.look.step)
    far = f"{seen.horizon} of {seen.farthest} steps back in `{of_layer(seen)}`"
    return f"; the gradient reaches {far}{past_gaps(seen)}{when}"


def _unseen(record: Record) -> str:
    script, how = record.run.script, ending(record)
    return f"{script} called none before {how}" if how else f"{script} ran to its end without calling one"


def ending(record: Record) -> str:
    """How the run ended where that is worth a word; empty for one that finished."""
    return _ENDINGS[record.outcome.how].format(error=_error(record))


def _error(record: Record) -> str:
    """What the script raised: of the first line the whole sentences that are not too long, the first in any case."""
    lines = record.outcome.error.strip().splitlines() or ["an error"]
    sentences = _SENTENCE_END.split(lines[0])
    while len(sentences) > 1 and len(" ".join(sentences)) > LONGEST_ERROR:
        sentences.pop()
    return cut(" ".join(sentences), 2 * LONGEST_ERROR).rstrip(".")
