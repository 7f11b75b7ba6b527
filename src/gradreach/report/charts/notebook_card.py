"""A card as a fragment of HTML for a notebook: no script, no style sheet, readable without any style at all.

Notebooks are light or dark and do not say which, and some places that show them strip every style: text takes the
colour of what surrounds it, rules and grounds are translucent, what is left without style is a plain table.
"""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from gradreach.facts.wording import safe, shortened
from gradreach.report.charts.card import Card, Drawing, Row, Table

_TONE = {"error": "#d1511f", "warning": "#b8860b", "info": "#3b86c8"}
_RULE = "rgba(128,128,128,.45)"
_CARD = "border-left:4px solid {tone};padding:2px 0 2px 14px;margin:6px 0;max-width:60em"
_TABLE = "border-collapse:collapse;margin:4px 0;background:none"
_NAME = (
    "text-align:left;vertical-align:top;padding:3px 14px 3px 0;font-weight:normal;opacity:.75;background:none;"
    "white-space:nowrap"
)
_TEXT = "text-align:left;vertical-align:top;padding:3px 0;white-space:normal;overflow-wrap:anywhere;background:none"
_CODE = (
    "white-space:pre-wrap;margin:0 0 3px;padding:5px 8px;background:rgba(128,128,128,.15);color:inherit;"
    "border-radius:4px"
)
_CELL = f"text-align:right;padding:3px 0 3px 22px;border-bottom:1px solid {_RULE};background:none;white-space:nowrap"

_SERIES = ("#3a86c8", "#d2691e", "#85888f", "#1a9a72", "#b65c92", "#a07c00")
_DASHES = ("", "7 4", "2 4", "11 3", "8 3 2 3", "4 3")
_INK = {
    "grid": 'stroke="currentColor" stroke-opacity="0.18" fill="none"',
    "axis": 'stroke="currentColor" stroke-opacity="0.6" fill="none"',
    "horizon": 'stroke="currentColor" stroke-dasharray="2 3" fill="none"',
    "limit": f'stroke="{_SERIES[4]}" stroke-dasharray="6 4" fill="none"',
    "name": 'fill="currentColor"',
    "label": 'fill="currentColor"',
    **{
        f"line s{n}": f'stroke="{colour}" stroke-width="1.8" fill="none"'
        + (f' stroke-dasharray="{_DASHES[n]}"' if _DASHES[n] else "")
        for n, colour in enumerate(_SERIES)
    },
    **{f"tip s{n}": 'fill="#000" fill-opacity="0"' for n in range(len(_SERIES))},
    **{f"dot s{n}": f'fill="{colour}"' for n, colour in enumerate(_SERIES)},
}
"""What the page's style sheet says of the classes of a figure, as attributes that need no sheet."""


def html(card: Card) -> str:
    """The fragment; every string in it is escaped."""
    parts = [Markup("<p style='margin:0 0 4px'><strong>{}</strong>").format(safe(f"{card.level} {card.title}".strip()))]
    parts.append(Markup(" {}</p>").format(inline(card.place)) if card.place else Markup("</p>"))
    if card.rows:
        rows = Markup("").join(_row(row) for row in card.rows)
        parts.append(Markup("<table style='{}'><tbody>{}</tbody></table>").format(_TABLE, rows))
    parts += [_figure(drawing) for drawing in card.figures]
    if card.table is not None:
        parts.append(Markup("<div style='overflow-x:auto'>{}</div>").format(_table(card.table)))
    style = _CARD.format(tone=_TONE.get(card.level, _RULE))
    return str(Markup("<div style='{}'>{}</div>").format(style, Markup("").join(parts)))


def inline(text: str, longest: int | None = None) -> Markup:
    """`text` escaped, and what stands between backticks as code, shortened to `longest` characters each."""
    parts = safe(text).split("`")
    if len(parts) % 2 == 0:  # a backtick without its fellow is a backtick
        return escape("`".join(parts))
    code = [part if longest is None else shortened(part, longest) for part in parts]
    return Markup("").join(
        Markup("<code>{}</code>").format(code[i]) if i % 2 else escape(part) for i, part in enumerate(parts)
    )


def inked(svg: str) -> str:
    """A figure of ours that needs no style sheet. Names in it are escaped, so each class in quotes is our own."""
    drawn = re.sub(r'class="([^"]*)"', lambda found: _INK.get(found[1], found[0]), svg)
    drawn = re.sub(r"<text (?![^>]*fill=)", '<text fill="currentColor" fill-opacity="0.8" ', drawn)
    return drawn.replace("<svg ", '<svg font-family="sans-serif" font-size="12" style="max-width:100%;height:auto" ', 1)


def _figure(drawing: Drawing) -> Markup:
    caption = Markup("<figcaption style='font-size:.9em;opacity:.8'>{}</figcaption>").format(inline(drawing.caption))
    return Markup("<figure style='margin:6px 0'>{}{}</figure>").format(Markup(inked(drawing.svg)), caption)


def _row(row: Row) -> Markup:
    typed = Markup("<pre style='{}'><code>{}</code></pre>").format(_CODE, safe(row.code)) if row.code else ""
    cells = Markup("<tr><th scope='row' style='{}'>{}</th><td style='{}'>{}{}</td></tr>")
    return cells.format(_NAME, row.name, _TEXT, typed, inline(row.text))


def _table(table: Table) -> Markup:
    cell = Markup("<t{} style='{}'>{}</t{}>")
    head = Markup("").join(cell.format("h", _CELL, safe(name), "h") for name in table.head)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(cell.format("d", _CELL, safe(each), "d") for each in cells))
        for cells in table.body
    )
    return Markup("<table style='{}'><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(_TABLE, head, body)
