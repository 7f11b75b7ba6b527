"""The report as one HTML file that asks the network for nothing; styles and script are let in by their hashes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from gradreach.display import wording
from gradreach.display.finding import evidence, label
from gradreach.display.series import known, quantile
from gradreach.record.schema import DepthLook, Look, Probe, Record, TimeLook
from gradreach.report import asked, figures, words
from gradreach.report.document import clip_rate, depth_shown, norms_of, probes_shown, seconds, threshold, time_shown
from gradreach.report.entry import Entry, entries
from gradreach.report.explanation import Section, not_made, sections, titled
from gradreach.report.figures import Figure
from gradreach.report.reach import first_seen, reach_figure
from gradreach.report.verdict import ending
from gradreach.rules.course import site_name
from gradreach.rules.dependency import Asked, LagVerdict, of_stack, spans, verdicts
from gradreach.rules.registry import RULES

if TYPE_CHECKING:
    from gradreach.report.report import Report
    from gradreach.rules.rule import Rule

FINDINGS, LAYERS, MODULES = 60, 8, 300
"""What a page shows in full; the JSON report holds the rest."""

_WHAT_TO_DO = {
    "GR101": "If you need a longer reach",
    "GR303": "If the steps are too short",
    "GR401": "If you want to be surer",
}
"""Over the remedies of findings that are information: what would be a reason to apply them."""

_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class LayerView:
    """One direction of one recurrent layer as the page shows it."""

    name: str
    look: Look
    seen: TimeLook
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class AskedView:
    """What one module's errors were asked, and the answers; of a model without a recurrence the reach as well."""

    name: str
    site: str
    question: str
    answers: tuple[str, ...]
    lags: tuple[LagVerdict, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class DepthView:
    """The modules that one site's backward pass went through."""

    site: str
    looks: tuple[DepthLook, ...]
    figures: tuple[Figure, ...]


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
    """The whole page as text."""
    record = report.record
    style, script = _asset("report.css"), _asset("report.js")
    listed, tests = entries(report.findings), verdicts(record)
    return _template().render(
        report=report,
        record=record,
        entries=listed[:FINDINGS],
        more_findings=max(len(listed) - FINDINGS, 0),
        explained=_explained(listed),
        not_made=not_made(report.not_judged),
        headings=_WHAT_TO_DO,
        answers=report.answers,
        sites=_sites(record),
        norm_figures=_present(figures.norm_figure(record, report.findings), figures.loss_figure(record)),
        layers=_layers(record, tests),
        asked=_asked(record, tests),
        all_layers=[seen for _, seen in time_shown(record)][:MODULES],
        depth=_depth(record),
        seconds=seconds(record),
        ending=ending(record),
        modules=MODULES,
        words=words,
        wording=wording,
        label=label,
        evidence=evidence,
        spans=spans,
        known=known,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
    )


def framed(report: Report) -> str:
    """The page inside an iframe, for a notebook's cell."""
    look = "width:100%;height:44em;border:0"
    return f'<iframe sandbox="allow-scripts" srcdoc="{escape(render(report))}" style="{look}"></iframe>'


def inline(text: str) -> Markup:
    """`text` escaped, and what stands between backticks as code."""
    parts = wording.printable(words.local(text)).split("`")
    if len(parts) % 2 == 0:  # a backtick without its fellow is a backtick
        return Markup.escape("`".join(parts))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else Markup.escape(part) for i, part in enumerate(parts)
    )


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _sites(record: Record) -> list[SiteView]:
    views = []
    for site, name in enumerate(record.sites):
        steps = [step for step in record.steps if step.site == site]
        norms = norms_of(steps)
        views.append(
            SiteView(name, len(steps), quantile(norms, 0.5), quantile(norms, 1.0), threshold(steps), clip_rate(steps))
        )
    return views


def _asked(record: Record, tests: Sequence[Asked]) -> list[AskedView]:
    """Every test, and every probe that no test goes with."""
    probes = {(look.site, seen.module): seen for look, seen in probes_shown(record)}
    views = []
    for each in tests:
        found = each.dependency
        drawn = _probed(probes.pop((found.site, found.module), None), each.lags)
        said = asked.question(each), asked.answers(each)
        views.append(AskedView(asked.name(each), site_name(record, found.site), *said, each.lags, drawn))
    for (site, module), probe in probes.items():
        title = f"`{module}`" if module else "the model"
        views.append(AskedView(title, site_name(record, site), "", (), (), _probed(probe, ())))
    return views


def _probed(probe: Probe | None, lags: Sequence[LagVerdict]) -> tuple[Figure, ...]:
    return _present(reach_figure(probe, asked=lags)) if probe is not None else ()


def _needed(tests: Sequence[Asked], look: Look, seen: TimeLook) -> tuple[LagVerdict, ...]:
    """What the error depends on at the place of a layer whose gradient goes to earlier inputs."""
    here = [each for each in tests if each.dependency.site == look.site and seen.direction == "forward"]
    return next((each.depends for each in here if of_stack(each.dependency.module, seen.module)), ())


def _layers(record: Record, tests: Sequence[Asked]) -> list[LayerView]:
    views = []
    for look, seen in time_shown(record)[:LAYERS]:
        drawn = _present(
            reach_figure(seen, first_seen(record, (look, seen)), _needed(tests, look, seen)),
            figures.adjoint_figure(seen),
            figures.truncation_figure(seen),
        )
        views.append(LayerView(words.of_layer(seen), look, seen, drawn))
    return views


def _depth(record: Record) -> list[DepthView]:
    views = []
    for site, pairs in groupby(depth_shown(record), key=lambda pair: pair[0].site):
        looks = tuple(seen for _, seen in pairs)
        drawn = _present(figures.gradient_figure(looks), figures.update_figure(looks))
        views.append(DepthView(record.sites[site] if site < len(record.sites) else "", looks, drawn))
    return views


def _present(*drawn: Figure | None) -> tuple[Figure, ...]:
    return tuple(figure for figure in drawn if figure is not None)


def _explained(listed: Sequence[Entry]) -> list[tuple[Rule, tuple[Section, ...]]]:
    """The rules behind the findings, each once, with what they have to say."""
    codes = dict.fromkeys(entry.first.code for entry in listed)
    return [(RULES[code], sections(RULES[code])) for code in codes if code in RULES]


def _shown(value: object) -> object:
    """What the template prints: text without control characters, its paths relative, all else as it is."""
    return wording.printable(words.local(value)) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(figure=wording.figure, percent=wording.percent, inline=inline, titled=titled, svg=Markup)
    return environment.get_template("report.html.j2")
