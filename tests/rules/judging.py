"""What the rules say of a made record."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.record.schema import Finding, Record
from gradreach.rules.registry import judge


def findings(made: Record, ignore: Sequence[str] = ()) -> tuple[Finding, ...]:
    """What the rules find, each with its formula in one line, whatever the record."""
    found = judge(Facts(made), ignore).findings
    assert all(finding.formula and "\n" not in finding.formula for finding in found)
    return found


def passed(made: Record) -> tuple[str, ...]:
    return judge(Facts(made)).passed


def not_judged(made: Record) -> dict[str, str]:
    return judge(Facts(made)).not_judged


def codes(made: Record) -> list[str]:
    return [finding.code for finding in findings(made)]


def the(made: Record, code: str) -> Finding:
    """The one finding of that code."""
    (found,) = [finding for finding in findings(made) if finding.code == code]
    return found
