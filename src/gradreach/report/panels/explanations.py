"""The panel that explains the rules behind the findings, each once."""

from __future__ import annotations

from gradreach.report.conclusions import Conclusions
from gradreach.report.explanation import sections
from gradreach.report.panels.panel import Data, Limits, Panel
from gradreach.rules.registry import RULES


def _data(conclusions: Conclusions, _limits: Limits) -> Data | None:
    codes = dict.fromkeys(finding.code for finding in conclusions.findings if finding.code in RULES)
    return {"explained": [(RULES[code], sections(RULES[code])) for code in codes]} if codes else None


PANEL = Panel("explanations", 100, _data)
