"""The verdict as one picture, to be pasted into an issue or a chat: sentence, figure, first remedy, short answers.

The drawing is SVG with all its colours in it; a browser makes a PNG of it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from textwrap import TextWrapper

from gradreach.facts.wording import capital, count, safe
from gradreach.report import run_text
from gradreach.report.charts.chart import Number, spoken
from gradreach.report.charts.figures import Figure
from gradreach.report.charts.flow import lines
from gradreach.report.conclusions import Conclusions
from gradreach.report.headline import headline
from gradreach.report.html import style_sheet
from gradreach.report.key_figure import drawn, key_figure, serious

WIDTH, EDGE, HALF = 1200, 48, 536
"""Width of the card, its margin, and the width of a column, in pixels."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
"""Names of the browsers that draw a PNG, in the order in which they are looked for."""

SECONDS = 60
"""After which a browser has failed."""

_BELOW = re.compile(r" \(\d+ more (?:findings?|notes?) below\.\)")
"""Points to what a card does not have."""

_OF_FIGURES = "grid|axis|line|s\\d|faint|dot|tip|limit|horizon|band|lost|learnable|unknown|broken|spike|clipped|zero"
_FIGURE_RULE = re.compile(rf"(?:svg|\.(?:{_OF_FIGURES}))\b")


class NoBrowser(RuntimeError):
    """No browser drew the picture; the message says what is missing."""


@dataclass(slots=True)
class _Column:
    """Lines of text from the top of a column downward."""

    left: int
    width: int
    y: Number
    parts: list[str] = field(default_factory=list)

    def write(self, text: str, size: int, *, bold: bool = False, soft: bool = False, mono: bool = False) -> None:
        """A paragraph, broken into lines that fit the column."""
        letter = size * (0.61 if mono else 0.58 if bold else 0.53)
        most = int(self.width / letter)
        for line in _hanging(safe(text), most) if mono else lines(safe(text), most):
            self.y += size * 1.4
            self.parts.append(_text(self.left, self.y - size * 0.3, line, size, bold=bold, soft=soft, mono=mono))

    def code(self, text: str) -> None:
        """Code on a ground of its own."""
        inner = _Column(self.left + 14, self.width - 28, self.y + 16)
        for line in text.split("\n"):
            inner.write(line, 16, mono=True)
        box = f'<rect class="wash" x="{self.left}" y="{self.y + 6:.0f}" width="{self.width}"'
        self.parts += [f'{box} height="{inner.y - self.y + 4:.0f}" rx="5"/>', *inner.parts]
        self.y = inner.y + 18


def svg_card(conclusions: Conclusions) -> str:
    """The card as SVG, light, that needs no style of its surroundings."""
    head, rest = headline(_BELOW.sub("", conclusions.verdict.sentence).replace("`", ""))
    top = _Column(EDGE + 24, WIDTH - 2 * EDGE - 48, 62)
    top.write(head, 34, bold=True)
    top.write(rest, 20)
    left, right = _beside(conclusions, top.y + 44)
    base = max(left.y, right.y) + 52
    foot = _text(EDGE, base, f"gradreach · {_of_run(conclusions)}", 16, soft=True)
    tone = (
        f'<rect class="{conclusions.verdict.level} tone" x="{EDGE}" y="48" width="6" height="{top.y - 38:.0f}" rx="3"/>'
    )
    body = "".join([tone, *top.parts, *left.parts, *right.parts, foot])
    height = round(base + 28)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{spoken(head)}"><style>{_style()}</style>'
        f'<rect class="page" width="{WIDTH}" height="{height}"/>{body}</svg>'
    )


def png_card(conclusions: Conclusions) -> bytes:
    """The card as PNG, drawn by a browser of this machine. Raises NoBrowser where there is none, or it fails."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise NoBrowser(
            "a PNG is drawn by Chromium or Chrome, and neither is on the PATH; an SVG needs none: name the file .svg"
        )
    drawing = svg_card(conclusions)
    height = drawing.partition('height="')[2].partition('"')[0]
    with tempfile.TemporaryDirectory() as folder:
        source, picture = Path(folder, "card.svg"), Path(folder, "card.png")
        source.write_text(drawing, encoding="utf-8")
        as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        looks = ["--headless", "--hide-scrollbars", "--force-device-scale-factor=2", f"--window-size={WIDTH},{height}"]
        profile = f"--user-data-dir={Path(folder, 'profile')}"
        command = [browser, *looks, *as_root, profile, f"--screenshot={picture}", source.as_uri()]
        try:
            subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)
            return picture.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise NoBrowser(f"{browser} drew no PNG ({error}); an SVG needs none: name the file .svg") from error


def _beside(conclusions: Conclusions, top: Number) -> tuple[_Column, _Column]:
    """The figure, and beside it what to do and the answers in short; these over the whole width without a figure."""
    key = key_figure(conclusions)
    figure = drawn(conclusions, key) if key is not None else None
    left = _Column(EDGE, HALF, top)
    right = _Column(WIDTH - EDGE - HALF, HALF, top) if figure is not None else _Column(EDGE, WIDTH - 2 * EDGE, top)
    if figure is not None:
        _draw(left, figure)
    finding = serious(conclusions)
    if finding is not None and finding.remedies:
        right.write("What to do first", 18, bold=True)
        right.write(capital(finding.remedies[0].why).replace("`", ""), 18)
        right.code(finding.remedies[0].do)
    for answer in conclusions.answers:
        right.write(answer.question, 16, soft=True)
        right.write(answer.short.replace("`", ""), 18, bold=True)
        right.y += 6
    return left, right


def _draw(column: _Column, figure: Figure) -> None:
    """A figure with its title and legend, as wide as the column."""
    column.write(figure.title, 18, bold=True)
    at: Number = column.left
    for name, style in figure.legend:
        if at > column.left and at + 44 + 8 * len(name) > column.left + column.width:
            at, column.y = column.left, column.y + 22
        line = f'<path class="line {style}" d="M{at:.0f} {column.y + 12:.0f}h28"/>'
        column.parts += [line, _text(at + 36, column.y + 17, name, 15)]
        at += 60 + 7.6 * len(name)
    column.y += 28 if figure.legend else 6
    wide, tall = map(float, figure.svg.partition('viewBox="0 0 ')[2].partition('"')[0].split())
    height = tall * column.width / wide
    place = f'x="{column.left}" y="{column.y:.0f}" width="{column.width}" height="{height:.0f}"'
    column.parts.append(re.sub(r' width="\d+" height="\d+"', f" {place}", figure.svg, count=1))
    column.y += height


def _hanging(line: str, most: int) -> list[str]:
    """A line of code in lines of at most `most` characters, those after the first further right than it began."""
    indent = " " * (len(line) - len(line.lstrip()))
    wrapped = TextWrapper(most, initial_indent=indent, subsequent_indent=f"{indent}        ", break_on_hyphens=False)
    return wrapped.wrap(line.lstrip()) or [""]


def _of_run(conclusions: Conclusions) -> str:
    record = conclusions.record
    return (
        f"{run_text.of_command(record.run, 80)} · {count(record.length, 'step')}, {len(record.looks)} watched closely"
    )


def _text(
    x: Number, y: Number, words: str, size: int, *, bold: bool = False, soft: bool = False, mono: bool = False
) -> str:
    kind = " ".join(name for name, holds in (("b", bold), ("soft", soft), ("mono", mono), ("ink", not soft)) if holds)
    place = f'x="{x:.0f}" y="{y:.0f}" style="font-size:{size}px" xml:space="preserve"'
    return f'<text class="{kind}" {place}>{spoken(words)}</text>'


@cache
def _style() -> str:
    """What the page's sheet says of figures, light, each colour written out for readers that know no variables."""
    sheet = style_sheet("report.css", "charts.css")
    colours = dict(re.findall(r"(--[\w-]+): ([^;]+);", sheet.partition("@media")[0]))
    plain = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", sheet)
    rules = [
        f"{names.strip()}{{{body.strip()}}}"
        for names, body in re.findall(r"([^{}]+)\{([^{}]*)\}", plain)
        if all(_FIGURE_RULE.match(name.strip()) for name in names.split(","))
    ]
    tones = "".join(f".tone.{level}{{fill:var(--{tone})}}" for level, tone in _TONES.items())
    own = ".page{fill:var(--page)}.wash{fill:var(--wash)}.tone{stroke:none;fill-opacity:1}text.b{font-weight:600}"
    own += "text.ink{fill:var(--ink)}text.soft{fill:var(--soft)}text.mono{font-family:var(--mono)}"
    return re.sub(r"var\((--[\w-]+)\)", lambda found: colours[found[1]], "".join([*rules, own, tones]))


_TONES = {"error": "error", "warning": "warning", "learns": "learns", "stalled": "warning", "unseen": "unseen"}
