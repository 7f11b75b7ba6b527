"""The card of a finding."""

from __future__ import annotations

from gradreach.facts.wording import capital
from gradreach.record.schema import Finding
from gradreach.report.charts.card import Card, Row
from gradreach.report.finding_text import figures, of_finding


def card(finding: Finding) -> Card:
    """The whole of a finding: where, on what figures, why, and what to do."""
    rows = [
        Row("evidence", figures(finding)),
        Row("formula", finding.formula),
        Row("because", capital(finding.because)),
        *(Row("do", capital(remedy.why), remedy.do) for remedy in finding.remedies),
        Row("more", code=f"gradreach explain {finding.code}"),
    ]
    told_of = tuple(row for row in rows if row.text or row.code)
    return Card(f"{finding.code} {finding.title}", of_finding(finding), finding.severity, told_of)
