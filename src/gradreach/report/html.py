"""What the pages share: style, script, the policy that lets in these alone, and how a template prints."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from gradreach.facts import wording
from gradreach.facts.dependency import spans
from gradreach.facts.statistics import known, quantile
from gradreach.record.kinds import of_layer
from gradreach.report.charts import notebook_card as notebook
from gradreach.report.explanation import titled
from gradreach.report.finding_text import evidence, label
from gradreach.report.glossary import TERMS
from gradreach.report.run_text import of_module

_TEMPLATES = Path(__file__).with_name("templates")
_UPLOT = Path(__file__).with_name("vendor") / "uplot"

_FIGURE = re.compile(r"[\d.]*\de-\d+")
"""Figures that a browser would break at their minus."""

_Q = re.compile(r"\bq(?= = )")

_GLUED = re.compile(r"(?<=\d) (?=%)|(?<=×) (?=\d)")
"""Spaces at which no line may end."""

NAME = 120
"""Characters of a name within a sentence."""


@dataclass(frozen=True, slots=True)
class Assets:
    """What a page carries: `style` and `script` go into one element each, `policy` into its meta element."""

    style: Markup
    script: Markup
    policy: str


@cache
def assets(*styles: str, scripts: tuple[str, ...] = ("report.js",)) -> Assets:
    """The assets of a page with charts: its shared style and script, and after them the templates named."""
    style = f"{_vendored('uPlot.min.css')}\n{style_sheet('report.css', 'charts.css', *styles)}"
    script = "\n".join([_vendored("uPlot.iife.min.js"), *map(_text, ("charts.js", *scripts))])
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return Assets(Markup(style), Markup(script), policy)


def style_sheet(*names: str) -> str:
    """These style sheets as one."""
    return "\n".join(map(_text, names))


@cache
def template(name: str) -> Template:
    """One of the templates beside this file, all strings escaped; what an expression names and is not there raises."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(
        figure=wording.figure,
        percent=wording.percent,
        quantile=quantile,
        inline=inline,
        whole=whole,
        term=term,
        typed=typed,
        titled=titled,
        svg=Markup,
    )
    environment.globals.update(
        wording=wording,
        label=label,
        evidence=evidence,
        of_layer=of_layer,
        of_module=of_module,
        spans=spans,
        known=known,
    )
    return environment.get_template(name)


def inline(text: str) -> Markup:
    """`text` escaped, what stands between backticks as code, no line ending within a figure or before its sign, and q
    explained."""
    return Markup(_Q.sub(str(term("q")), whole(notebook.inline(_GLUED.sub("\u00a0", text), NAME))))


def whole(text: str) -> Markup:
    """`text` escaped, with no line ending within a figure."""
    return Markup(_FIGURE.sub(r'<span class="number">\g<0></span>', str(escape(_shown(text)))))


def typed(code: str) -> Markup:
    """Code whose long lines hang: what of them does not fit begins further right."""
    lines = wording.printable(code).split("\n")
    return Markup("").join(Markup('<span class="hang">{}</span>').format(line) for line in lines)


def term(name: str, label: str = "") -> Markup:
    """A word of the glossary that says what it means where a pointer or the focus is on it; others as they are.

    It is written as `label` where that is given.
    """
    words = label or name
    if name not in TERMS:
        return escape(words)
    return Markup('<abbr tabindex="0" title="{}">{}</abbr>').format(TERMS[name], words)


def _shown(value: object) -> object:
    """What the template prints: text without control characters, its paths relative, all else as it is."""
    return (
        wording.printable(wording.local(value)) if isinstance(value, str) and not isinstance(value, Markup) else value
    )


def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _vendored(name: str) -> str:
    """A file of uPlot under its licence, which must go wherever a copy goes."""
    licence = (_UPLOT / "LICENSE").read_text(encoding="utf-8")
    return f"/*! uPlot 1.6.32\n{licence}\n*/\n" + (_UPLOT / name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
