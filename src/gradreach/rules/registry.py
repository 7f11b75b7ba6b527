"""All rules, and what they find in a record."""

from __future__ import annotations

from collections.abc import Collection

from gradreach.record.schema import Finding, Record
from gradreach.rules import data, depth, nonfinite, step, time, units, update
from gradreach.rules.rule import Judged, Rule

RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (*time.RULES, *depth.RULES, *units.RULES, *nonfinite.RULES, *step.RULES, *update.RULES, *data.RULES)
}

_SEVERITIES = ("error", "warning", "info")


def findings(record: Record, ignore: Collection[str] = ()) -> tuple[Finding, ...]:
    """What the rules find, the most serious first, then by code; rules whose codes are in `ignore` do not speak."""
    found = [finding for code, judged in _judged(record) if code not in ignore for finding in judged.findings]
    return tuple(sorted(found, key=lambda finding: (_SEVERITIES.index(finding.severity), finding.code)))


def passed(record: Record) -> tuple[str, ...]:
    """The codes of the checks that could be made and found nothing."""
    return tuple(code for code, judged in _judged(record) if not judged.findings and not judged.why_not)


def not_judged(record: Record) -> dict[str, str]:
    """Of each check that could not be made its code, and what the record lacked."""
    missing = {rule.code: "its evidence is not recorded" for rule in RULES.values() if rule.check is None}
    return missing | {
        code: judged.why_not for code, judged in _judged(record) if judged.why_not and not judged.findings
    }


def _judged(record: Record) -> list[tuple[str, Judged]]:
    return [(rule.code, rule.check(record)) for rule in RULES.values() if rule.check is not None]
