"""The panel that says in one sentence what the run comes to."""

from __future__ import annotations

from gradreach.facts.wording import capital
from gradreach.report.conclusions import Conclusions
from gradreach.report.panels.panel import Data, Limits, Panel


def headline(sentence: str) -> tuple[str, str]:
    """A verdict's first clause, and the rest of it with its own capital; a name with a colon in it is not cut."""
    head, _, rest = sentence.partition(": ")
    if not rest or head.count("`") % 2:
        return sentence, ""
    return f"{head}.", capital(rest)


def _data(conclusions: Conclusions, _limits: Limits) -> Data:
    return {"level": conclusions.verdict.level, "headline": headline(conclusions.verdict.sentence)}


PANEL = Panel("verdict", 10, _data)
