"""The panel that answers the three questions that people come with."""

from __future__ import annotations

from gradreach.report.conclusions import Conclusions
from gradreach.report.panels.panel import Data, Limits, Panel


def _data(conclusions: Conclusions, _limits: Limits) -> Data | None:
    return {"answers": conclusions.answers} if conclusions.answers else None


PANEL = Panel("three_questions", 20, _data)
