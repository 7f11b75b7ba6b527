"""The panel that says in one sentence what the run comes to."""

from __future__ import annotations

from gradreach.report.conclusions import Conclusions
from gradreach.report.headline import headline
from gradreach.report.panels.panel import Data, Limits, Panel


def _data(conclusions: Conclusions, _limits: Limits) -> Data:
    return {"level": conclusions.verdict.level, "headline": headline(conclusions.verdict.sentence)}


PANEL = Panel("verdict", 10, _data)
