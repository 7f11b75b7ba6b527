"""The report as one HTML file that asks the network for nothing: panels, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html import escape

from markupsafe import Markup

from gradreach.record.members import in_folder
from gradreach.record.process import still_running
from gradreach.record.schema import Record
from gradreach.report import run_text
from gradreach.report.conclusions import Conclusions
from gradreach.report.html import assets, template
from gradreach.report.panels.panel import Limits, Panel
from gradreach.report.verdict import ending

LARGEST = 3_000_000
"""Bytes of a page, whatever was recorded."""

COMMAND = 110
"""Characters of the command that head the page; all of it stands at its end."""


@dataclass(frozen=True, slots=True)
class PanelDrawing:
    """A panel as it stands on the page, and its place in the navigation: none without a title."""

    title: str
    anchor: str
    html: Markup


@cache
def panels() -> tuple[Panel, ...]:
    """All panels in the order of the page."""
    return tuple(sorted(in_folder("gradreach.report.panels", Panel), key=lambda panel: panel.place))


def render(conclusions: Conclusions) -> str:
    """The whole page as text, of at most LARGEST bytes: a larger one is drawn again with half of what it lists."""
    limits = Limits()
    page = _page(conclusions, limits)
    while len(page.encode(errors="replace")) > LARGEST and limits.modules:
        limits = limits.halved()
        page = _page(conclusions, limits)
    return page


def framed(conclusions: Conclusions) -> str:
    """The page inside an iframe, for a notebook's cell."""
    look = "width:100%;height:44em;border:0"
    return f'<iframe sandbox="allow-scripts" srcdoc="{escape(render(conclusions))}" style="{look}"></iframe>'


def _page(conclusions: Conclusions, limits: Limits) -> str:
    record, shared = conclusions.record, assets()
    return template("report.html.j2").render(
        panels=[drawn for panel in panels() if (drawn := _drawn(panel, conclusions, limits)) is not None],
        run=record.run,
        steps=run_text.of_steps(conclusions.facts),
        watched=len(record.looks),
        seconds=conclusions.facts.seconds,
        command=run_text.of_command(record.run, COMMAND),
        started=_started(record.run.started),
        ending=_ended(record),
        going_on=_going_on(record),
        style=shared.style,
        script=shared.script,
        policy=shared.policy,
    )


def _drawn(panel: Panel, conclusions: Conclusions, limits: Limits) -> PanelDrawing | None:
    data = panel.data(conclusions, limits)
    if data is None:
        return None
    drawn = template(f"panels/{panel.id}.html.j2").render(data)
    return PanelDrawing(panel.title, panel.anchor, Markup(drawn))


def _started(iso: str) -> str:
    """An ISO 8601 time in UTC to the minute."""
    date, _, time = iso.partition("T")
    return f"{date} {time[:5]} UTC" if time else iso


def _going_on(record: Record) -> str:
    """That the figures are those of a run that goes on; empty for one that has ended."""
    if not still_running(record):
        return ""
    return f"As of step {record.steps[-1].step:,}, still running" if record.steps else "Still running"


def _ended(record: Record) -> str:
    """How the run ended where that is worth a word."""
    if record.outcome.how == "unknown" and (going := still_running(record)) is not None:
        return "" if going else "it was killed"
    return ending(record)
