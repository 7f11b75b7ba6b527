"""The panel under the verdict: the one figure that shows it, what to do first, and the questions answered."""

from __future__ import annotations

from gradreach.report.conclusions import Conclusions
from gradreach.report.key_figure import drawn, key_figure, serious
from gradreach.report.panels.panel import Data, Limits, Panel


def _data(conclusions: Conclusions, _limits: Limits) -> Data | None:
    finding, key, answers = serious(conclusions), key_figure(conclusions), conclusions.answers
    remedies = finding.remedies if finding is not None else ()
    if not answers and not remedies:
        return None
    return {
        "figure": drawn(conclusions, key) if key is not None else None,
        "remedy": remedies[0] if remedies else None,
        "others": max(len(remedies) - 1, 0),
        "answers": answers,
    }


PANEL = Panel("lead", 20, _data)
