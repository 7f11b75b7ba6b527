"""The panel of the findings: place, figures, reason, formula and remedies of each."""

from __future__ import annotations

from collections import defaultdict

from gradreach.report.conclusions import Conclusions
from gradreach.report.grouped_findings import grouped
from gradreach.report.panels.panel import Data, Limits, Panel
from gradreach.rules.registry import RULES


def _data(conclusions: Conclusions, limits: Limits) -> Data:
    groups = grouped(conclusions.findings)
    return {
        "groups": groups[: limits.findings],
        "more_findings": max(len(groups) - limits.findings, 0),
        "passed": conclusions.passed,
        "headings": defaultdict(str, {code: rule.heading for code, rule in RULES.items()}),
        "codes_explained": RULES.keys(),
    }


PANEL = Panel("findings", 30, _data, "Findings", "findings")
