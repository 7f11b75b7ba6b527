"""All rules, and what they find in a record."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gradreach.facts.legacy_thresholds import DEFAULT, Thresholds
from gradreach.record.schema import Finding, Record
from gradreach.rules import data, depth, nonfinite, step, time, truncation, units, update
from gradreach.rules.rule import Rule

RULES: dict[str, Rule] = {
    rule.code: rule
    for family in (time, truncation, depth, units, nonfinite, step, update, data)
    for rule in family.RULES
}

_SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What all rules together say of a record: findings, codes of the checks it passed, and what the others lacked."""

    findings: tuple[Finding, ...]
    passed: tuple[str, ...]
    not_judged: dict[str, str]


def judge(record: Record, ignore: Collection[str] = (), thresholds: Thresholds = DEFAULT) -> Judgement:
    """Apply every rule once, each from its threshold on; those whose codes are in `ignore` find nothing.

    Findings come the most serious first, then by code.
    """
    judged = {rule.code: rule.check(record, thresholds) for rule in RULES.values() if rule.check is not None}
    found = [finding for code, each in judged.items() if code not in ignore for finding in each.findings]
    missing = {rule.code: "its evidence is not recorded" for rule in RULES.values() if rule.check is None}
    return Judgement(
        findings=tuple(sorted(found, key=lambda finding: (_SEVERITIES.index(finding.severity), finding.code))),
        passed=tuple(code for code, each in judged.items() if not each.findings and not each.why_not),
        not_judged=missing
        | {code: each.why_not for code, each in judged.items() if each.why_not and not each.findings},
    )
