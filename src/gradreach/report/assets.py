"""Style and script of the pages, and the policy that lets in these alone, by their hashes."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markupsafe import Markup

_TEMPLATES = Path(__file__).with_name("templates")
_UPLOT = Path(__file__).with_name("vendor") / "uplot"


@dataclass(frozen=True, slots=True)
class Assets:
    """What a page carries: `style` and `script` go into one element each, `policy` into its meta element."""

    style: Markup
    script: Markup
    policy: str


@cache
def assets(*styles: str, scripts: tuple[str, ...] = ("report.js",)) -> Assets:
    """The assets of a page with charts: its shared style and script, and after them the templates named."""
    style = "\n".join([_vendored("uPlot.min.css"), *map(_template, ("report.css", "charts.css", *styles))])
    script = "\n".join([_vendored("uPlot.iife.min.js"), *map(_template, ("charts.js", *scripts))])
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return Assets(Markup(style), Markup(script), policy)


def _template(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _vendored(name: str) -> str:
    """A file of uPlot under its licence, which must go wherever a copy goes."""
    licence = (_UPLOT / "LICENSE").read_text(encoding="utf-8")
    return f"/*! uPlot 1.6.32\n{licence}\n*/\n" + (_UPLOT / name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
