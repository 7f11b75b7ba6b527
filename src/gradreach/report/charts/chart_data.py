"""The same charts as data: what a script needs in order to draw them again, with zoom and a readout."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from gradreach.facts.wording import printable
from gradreach.report.charts.chart import Frame, Line, Mark, Number, Strip, axes, headroom, short_name, styles

DIGITS = 5
"""Significant digits of a value; a readout shows three."""

MOST_NAMES = 1000
"""Names of places that the data hold; where there are more the script tells them by their numbers."""

_HARMLESS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def chart_data(
    frame: Frame, lines: Sequence[Line], marks: Sequence[Mark] = (), strips: Sequence[Strip] = (), group: str = ""
) -> str:
    """The chart as JSON in ASCII that may stand in a script element; empty if no point of a line is finite.

    Lines that share their places stand in one of `tables`. Charts of one `group` share cursor and zoom.
    """
    ranges = axes(frame, lines, marks)
    if ranges is None:
        return ""
    fields = {
        "title": frame.title,
        "x": frame.x,
        "y": frame.y,
        "log": frame.log,
        "height": frame.height,
        "head": headroom(marks),
        "names": [short_name(name) for name in frame.names] if len(frame.names) <= MOST_NAMES else [],
        "floor": _rounded(frame.floor),
        "span": [_rounded(end) for end in ranges.x],
        "range": list(ranges.y),
        "group": group,
        "tables": [_table(list(shared), frame) for _, shared in groupby(lines, key=_places)],
        "marks": [_mark(mark) for mark in marks],
        "strips": [_strip(strip) for strip in strips if strip.stretches],
    }
    text = json.dumps(_printable(fields), separators=(",", ":"), allow_nan=False)
    for char, escaped in _HARMLESS.items():
        text = text.replace(char, escaped)
    return text


def _places(line: Line) -> list[Number]:
    return [at for at, _ in line.points]


def _table(lines: list[Line], frame: Frame) -> dict[str, Any]:
    series = [
        {
            "name": line.name,
            "style": f"line {styles(line, frame)}",
            "dots": line.dots,
            "y": [_value(value, frame.log) for _, value in line.points],
        }
        for line in lines
    ]
    return {"x": [_rounded(at) for at in _places(lines[0])], "lines": series}


def _value(value: float | None, log: bool) -> Number | None:
    """What can be drawn: a finite value, above 0 on a log axis."""
    return None if value is None or not math.isfinite(value) or (log and value <= 0) else _short(value)


def _short(value: Number) -> Number:
    return _rounded(float(f"{value:.{DIGITS}g}"))


def _rounded(value: Number) -> Number:
    """The whole number that `value` is, where it is one: without a decimal point it is shorter."""
    return int(value) if value == int(value) and abs(value) < 1e15 else value


def _mark(mark: Mark) -> dict[str, Any]:
    fields = {"name": mark.name, "style": mark.style, "word": mark.word, "row": mark.row}
    return fields | {
        key: _short(value) if key == "y" else value
        for key, value in (("x", mark.x), ("until", mark.until), ("y", mark.y))
        if value is not None and math.isfinite(value)
    }


def _strip(strip: Strip) -> dict[str, Any]:
    return {"name": strip.name, "style": strip.style, "stretches": [list(stretch) for stretch in strip.stretches]}


def _printable(value: Any) -> Any:
    """`value` with every string in it without control characters."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    if isinstance(value, list) and value and not isinstance(value[0], int | float):
        return [_printable(item) for item in value]
    return value
