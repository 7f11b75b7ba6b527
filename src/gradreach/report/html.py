"""The report as one HTML file that asks the network for nothing; styles and script are let in by their hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

from gradreach.facts import wording
from gradreach.facts.legacy_dependency import spans, verdicts
from gradreach.facts.statistics import known, quantile
from gradreach.record.kinds import of_layer
from gradreach.record.process import still_running
from gradreach.record.schema import Record
from gradreach.report import words
from gradreach.report.charts.module_tree import bar
from gradreach.report.charts.norm import loss_figure, norm_figure
from gradreach.report.explanation import Section, not_made, sections
from gradreach.report.finding_text import evidence, label
from gradreach.report.grouped_findings import Entry, entries
from gradreach.report.json_report import clip_rate, norms_of, seconds, threshold, time_shown
from gradreach.report.page import assets, template
from gradreach.report.panels.through_depth import depth
from gradreach.report.panels.through_time import asked_of, layers, present
from gradreach.report.verdict import ending
from gradreach.rules.registry import RULES

if TYPE_CHECKING:
    from gradreach.report.report import Report
    from gradreach.rules.rule import Rule

LARGEST = 3_000_000
"""Bytes of a page, whatever was recorded."""

CUT = "This page was cut to 3 MB; the JSON report holds all of it."

COMMAND = 110
"""Characters of the command that head the page; all of it stands at its end."""

_WHAT_TO_DO = {
    "GR101": "If you need a longer reach",
    "GR303": "If the steps are too short",
    "GR401": "If you want to be surer",
}
"""Over the remedies of findings that are information: what would be a reason to apply them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many of each a page shows; the JSON report holds the rest."""

    findings: int = 60
    layers: int = 16
    modules: int = 300
    lags: int = 240
    sites: int = 60

    def halved(self) -> Limits:
        """Half as many of each."""
        return Limits(self.findings // 2, self.layers // 2, self.modules // 2, self.lags // 2, self.sites // 2)


@dataclass(frozen=True, slots=True)
class SiteView:
    """The norms of the backward passes that one line of the script called."""

    site: str
    steps: int
    median: float | None
    largest: float | None
    threshold: float | None
    clip_rate: float | None


def render(report: Report) -> str:
    """The whole page as text, of at most LARGEST bytes: a larger one is drawn again with half of what it lists."""
    limits = Limits()
    page = _page(report, report.record, limits)
    while len(page.encode(errors="replace")) > LARGEST and limits.modules:
        limits = limits.halved()
        page = _page(report, replace(report.record, notes=(*report.record.notes, CUT)), limits)
    return page


def _page(report: Report, record: Record, limits: Limits) -> str:
    listed, tests = entries(report.findings), verdicts(record, report.thresholds)
    shared = assets()
    shown = listed[: limits.findings]
    placed = [(number, finding) for number, entry in enumerate(shown) for finding in entry.findings]
    explained = _explained(listed)
    return template("report.html.j2").render(
        report=report,
        headline=_headline(report.verdict.sentence),
        started=_started(record.run.started),
        record=record,
        entries=shown,
        entry_of=[number for number, _ in placed],
        placed=[finding for _, finding in placed],
        command=words.of_command(record.run, COMMAND),
        going_on=_going_on(record),
        more_findings=max(len(listed) - limits.findings, 0),
        explained=explained,
        codes_explained={rule.code for rule, _ in explained},
        not_made=not_made(report.not_judged),
        headings=_WHAT_TO_DO,
        answers=report.answers,
        sites=_sites(record)[: limits.sites],
        norm_figures=present(norm_figure(record, report.findings), loss_figure(record)),
        layers=layers(record, tests)[: limits.layers],
        asked=[replace(view, lags=view.lags[: limits.lags]) for view in asked_of(record, tests)[: limits.layers]],
        all_layers=[seen for _, seen in time_shown(record)][: limits.modules],
        depth=depth(record, [finding for _, finding in placed])[: limits.sites],
        bar=bar,
        seconds=seconds(record),
        ending=_ended(record),
        modules=limits.modules,
        words=words,
        of_layer=of_layer,
        wording=wording,
        label=label,
        evidence=evidence,
        spans=spans,
        known=known,
        style=shared.style,
        script=shared.script,
        policy=shared.policy,
    )


def framed(report: Report) -> str:
    """The page inside an iframe, for a notebook's cell."""
    look = "width:100%;height:44em;border:0"
    return f'<iframe sandbox="allow-scripts" srcdoc="{escape(render(report))}" style="{look}"></iframe>'


def _headline(sentence: str) -> tuple[str, str]:
    """A verdict's first clause, and the rest of it with its own capital; a name with a colon in it is not cut."""
    head, _, rest = sentence.partition(": ")
    if not rest or head.count("`") % 2:
        return sentence, ""
    return f"{head}.", wording.capital(rest)


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


def _sites(record: Record) -> list[SiteView]:
    views = []
    for site, name in enumerate(record.sites):
        steps = [step for step in record.steps if step.site == site]
        norms = norms_of(steps)
        views.append(
            SiteView(name, len(steps), quantile(norms, 0.5), quantile(norms, 1.0), threshold(steps), clip_rate(steps))
        )
    return views


def _explained(listed: Sequence[Entry]) -> list[tuple[Rule, tuple[Section, ...]]]:
    """The rules behind the findings, each once, with what they have to say."""
    codes = dict.fromkeys(entry.first.code for entry in listed)
    return [(RULES[code], sections(RULES[code])) for code in codes if code in RULES]
