"""All rules, and what they find in a record."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from gradreach.facts import legacy_thresholds
from gradreach.facts.facts import Facts
from gradreach.facts.thresholds import Threshold
from gradreach.record.schema import SEVERITIES, Finding
from gradreach.rules import data, depth, nonfinite, step, time, truncation, units, update
from gradreach.rules.rule import Rule

RULES: dict[str, Rule] = {
    rule.code: rule
    for family in (time, truncation, depth, units, nonfinite, step, update, data)
    for rule in family.RULES
}

THRESHOLDS: dict[str, Threshold] = {
    each.key: Threshold(each.name, each.default, each.low, each.high, each.meaning)
    for each in legacy_thresholds.listed()
}
"""Every threshold that a user may set, by its key in pyproject.toml."""

_URGENCY = ("GR301", "GR402", "GR304", "GR202", "GR102", "GR201")


@dataclass(frozen=True, slots=True)
class RuleResults:
    """What all rules together say of a run: findings, codes of the checks it passed, and what the others lacked."""

    findings: tuple[Finding, ...]
    passed: tuple[str, ...]
    not_judged: dict[str, str]


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings with the most serious first; among equals what broke the run, then by code."""
    return tuple(sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), _urgency(found), found.code)))


def _urgency(finding: Finding) -> int:
    return _URGENCY.index(finding.code) if finding.code in _URGENCY else len(_URGENCY)


def judge(facts: Facts, ignore: Collection[str] = ()) -> RuleResults:
    """Apply every rule once; those whose codes are in `ignore` find nothing.

    Findings come in the order of `ranked`.
    """
    thresholds = legacy_thresholds.of(facts.thresholds)
    judged = {rule.code: rule.check(facts.record, thresholds) for rule in RULES.values() if rule.check is not None}
    found = [finding for code, each in judged.items() if code not in ignore for finding in each.findings]
    missing = {rule.code: "its evidence is not recorded" for rule in RULES.values() if rule.check is None}
    return RuleResults(
        findings=ranked(found),
        passed=tuple(code for code, each in judged.items() if not each.findings and not each.why_not),
        not_judged=missing
        | {code: each.why_not for code, each in judged.items() if each.why_not and not each.findings},
    )
