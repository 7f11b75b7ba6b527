"""The panel of the checks that found nothing, and of those that could not be made."""

from __future__ import annotations

from gradreach.report.conclusions import Conclusions
from gradreach.report.panels.panel import Data, Limits, Panel


def _data(conclusions: Conclusions, _limits: Limits) -> Data:
    return {"passed": conclusions.passed, "not_made": conclusions.not_judged}


PANEL = Panel("checks", 80, _data, "Checks", "checks")
