"""Reports with findings of one's own, as the rules would hand them on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradreach.facts.facts import Facts
from gradreach.record.schema import Finding, Record
from gradreach.report.conclusions import Conclusions
from gradreach.report.report import Report
from gradreach.rules.registry import ranked


def conclusions_of(
    record: Record,
    findings: Sequence[Finding] = (),
    passed: Sequence[str] = (),
    not_judged: Mapping[str, str] | None = None,
) -> Conclusions:
    """What such findings in a record come to, in the order that the rules give them."""
    return Conclusions(Facts(record), ranked(findings), tuple(passed), not_judged or {})


def report_of(
    record: Record,
    findings: Sequence[Finding] = (),
    passed: Sequence[str] = (),
    not_judged: Mapping[str, str] | None = None,
) -> Report:
    """The report on such findings in a record."""
    return Report(conclusions_of(record, findings, passed, not_judged))
