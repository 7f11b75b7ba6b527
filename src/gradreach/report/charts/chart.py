"""Figures as SVG text: scales, ticks, paths and one kind of plot. Pure functions; every name is escaped.

Colours and dash patterns come from the page's style sheet by class: `s0` … `s5` for series, so that a figure reads
without colour, in dark and in light.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup, escape

from gradreach.facts.statistics import extremes, known
from gradreach.facts.wording import figure, printable, shortened

Number = int | float
Points = Sequence[tuple[Number, float | None]]
SERIES = 6
"""Styles of series that the sheet knows; a seventh series takes the first one's again."""

HUGE = 1e290
"""The largest value an axis shows: differences of two such are still floats."""

STRIP = 4
"""Height of a strip along the bottom, in pixels."""

TIPS = 40
"""Points of a series that carry a tooltip."""

WORD = 14
"""Height of a line of words above the plot, in pixels."""

LETTER = 6.5
"""Width of a letter there, about, in pixels."""

TICK_NAME = 13
"""Characters of a name beside a tick: its end, which says most."""

NAMED = 44
"""Pixels at the right of a plot for half of the last tick's name."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps data from [low, high] to the pixels [start, end], by logarithm where `log`."""

    low: Number
    high: Number
    start: Number
    end: Number
    log: bool = False

    def at(self, value: Number) -> Number:
        """The pixel of `value`, held within the axis."""
        low, high = self._axis(self.low), self._axis(self.high)
        share = (self._axis(max(value, self.low)) - low) / (high - low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def _axis(self, value: Number) -> Number:
        return math.log10(value) if self.log else value


@dataclass(frozen=True, slots=True)
class Line:
    """A named series of points; a None breaks the line. `style` picks colour and dashes; `dots` draws points alone."""

    name: str
    points: Points
    style: int = 0
    faint: bool = False
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A place worth a word: a vertical rule at `x`, or a horizontal one at `y`; both given, a triangle there.

    `name` is its tooltip; `until` widens a vertical rule to a band. The `word` of a vertical rule stands above the
    plot, `row` lines down, where no curve runs; that of a horizontal one in the legend.
    """

    name: str
    x: Number | None = None
    y: float | None = None
    style: str = "limit"
    word: str = ""
    until: Number | None = None
    row: int = 0


@dataclass(frozen=True, slots=True)
class Strip:
    """Stretches of the x axis, each from its first to its last place, marked along the bottom of the plot."""

    name: str
    stretches: Sequence[tuple[Number, Number]]
    style: str = "clipped"


@dataclass(frozen=True, slots=True)
class Axes:
    """The ranges that a plot shows of x and of y."""

    x: tuple[Number, Number]
    y: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """Size, axes and title of a plot, in pixels and words; `names` are those of the places 0, 1, 2 … of its x axis."""

    title: str
    x: str
    y: str
    width: int = 460
    height: int = 250
    log: bool = False
    left: int = 58
    floor: Number = 0.0
    names: tuple[str, ...] = ()


def ticks(low: Number, high: Number, log: bool, most: int = 6) -> list[float]:
    """At most `most` + 1 round values within [low, high]: powers of ten where `log`, else 1, 2 or 5 times one."""
    if log:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        stride = max(1, math.ceil((last - first + 1) / most))
        return [10.0**power for power in range(first, last + 1) if power % stride == 0]
    raw = (high - low) / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= raw * (1 - 1e-9))
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def span(values: Iterable[float | None], log: bool, floor: float = 0.0) -> tuple[float, float]:
    """The range of an axis for the finite `values`: whole decades at or above `floor` where `log`, else with air."""
    there = [min(max(value, -HUGE), HUGE) for value in known(values)]
    if log:
        there = [value for value in there if value > 0] or [1.0]
        low = 10.0 ** math.floor(math.log10(max(min(there), floor, 1 / HUGE)) + 1e-9)
        high = 10.0 ** math.ceil(math.log10(max(max(there), low)) - 1e-9)
        return (low, high) if high > low else (low, low * 10)
    low, high = min(there, default=0.0), max(there, default=1.0)
    size = max(abs(low), abs(high))
    air = 0.05 * (high - low) if high - low > max(1e-9 * size, 1 / HUGE) else 0.5 * max(size, 1.0)
    return low - air, high + air


def thinned(points: Points, most: int) -> Points:
    """At most `most` ≥ 4 of the points: the ends, and the lowest and highest of each stretch between."""
    if len(points) <= most:
        return points
    kept = extremes([y for _, y in points], max(most // 2 - 1, 1))
    return [points[i] for i in sorted({0, *kept, len(points) - 1})]


def merged(stretches: Iterable[tuple[Number, Number]], gap: Number) -> list[tuple[Number, Number]]:
    """The stretches, in order, where those nearer than `gap` to the one before are drawn as one with it."""
    drawn: list[tuple[Number, Number]] = []
    for first, last in stretches:
        if drawn and first - drawn[-1][1] < gap:
            drawn[-1] = (drawn[-1][0], max(last, drawn[-1][1]))
        else:
            drawn.append((first, last))
    return drawn


def styles(line: Line, frame: Frame) -> str:
    """The classes of a line in the style sheet: its series, and whether it is faint, or dense and so drawn thin."""
    dense = " dense" if len(line.points) > 0.75 * frame.width else ""
    return f"s{line.style % SERIES}{' faint' if line.faint else ''}{dense}"


def path(points: Points, x: Scale, y: Scale) -> str:
    """The `d` of a polyline through the points, broken where y is None, NaN or infinite, ≤ 0 on a log axis, or where it
    runs under the axis."""
    parts: list[str] = []
    pen, under = "M", False
    for at, value in points:
        was_under, under = under, value is not None and value < y.low
        if value is None or not math.isfinite(value) or (y.log and value <= 0) or (under and was_under):
            pen = "M"
            continue
        parts.append(f"{pen}{_px(x.at(at))} {_px(y.at(value))}")
        pen = "L"
    return "".join(parts)


def axes(frame: Frame, lines: Sequence[Line], marks: Sequence[Mark] = ()) -> Axes | None:
    """The ranges that hold every line and mark; None where no point of a line is finite."""
    values = [y for line in lines for _, y in line.points]
    if not known(values):
        return None
    rules = [mark.y for mark in marks if mark.y is not None and mark.x is None]
    values += [y / 2 if frame.log else y for y in rules]  # a rule on the axis itself would not be seen
    places = [at for line in lines for at, _ in line.points]
    places += [at for mark in marks for at in (mark.x, mark.until) if at is not None]
    first, last = min(places), max(places)
    return Axes((first, last if last > first else first + 1), span(values, frame.log, frame.floor))


def headroom(marks: Sequence[Mark]) -> int:
    """The pixels above a plot that the words of its vertical rules need."""
    return WORD * max((mark.row + 1 for mark in marks if mark.word and mark.x is not None), default=0)


def short_name(name: str) -> str:
    """The end of a name, as it fits beside a tick, cut at a dot where one is near."""
    if len(name) <= TICK_NAME:
        return name
    tail = name[1 - TICK_NAME :]
    part = tail[: TICK_NAME // 2].find(".")
    return f"…{tail[part + 1 :]}"


def plot(frame: Frame, lines: Sequence[Line], marks: Sequence[Mark] = (), strips: Sequence[Strip] = ()) -> str:
    """An SVG figure of `lines` over one x axis, with grid, labelled axes and tooltips; empty if no point is finite."""
    ranges = axes(frame, lines, marks)
    if ranges is None:
        return ""
    top = headroom(marks)
    frame = replace(frame, height=frame.height + top)
    x = Scale(*ranges.x, frame.left, frame.width - (NAMED if frame.names else 12))
    y = Scale(*ranges.y, frame.height - 40, 12 + top, frame.log)
    parts = [_grid(frame, x, y), *(_mark(mark, x, y) for mark in marks), *(_strip(strip, x, y) for strip in strips)]
    return svg(frame, "".join([*parts, *(_line(line, x, y, frame) for line in lines)]))


def svg(frame: Frame, body: str) -> str:
    """The outer element of a figure, named by its title for those who cannot see it."""
    size = f'viewBox="0 0 {frame.width} {frame.height}" width="{frame.width}" height="{frame.height}"'
    return f'<svg {size} role="img" aria-label="{spoken(frame.title)}">{body}</svg>'


def spoken(words: str) -> Markup:
    """`words` escaped for SVG, without the control characters that XML knows no way to hold."""
    return escape(printable(words))


def text(at: Number, height: Number, words: str, anchor: str = "start", style: str = "", most: int = 60) -> str:
    """A line of text, shortened in its middle to `most` characters with the whole of it as tooltip."""
    short = shortened(words, most)
    tip = f"<title>{spoken(words)}</title>" if short != words else ""
    mark = f' class="{style}"' if style else ""
    return f'<text x="{_px(at)}" y="{_px(height)}" text-anchor="{anchor}"{mark}>{spoken(short)}{tip}</text>'


def _grid(frame: Frame, x: Scale, y: Scale) -> str:
    parts = []
    for value in ticks(y.low, y.high, y.log, 5):
        at = _px(y.at(value))
        parts.append(f'<path class="grid" d="M{_px(x.start)} {at}H{_px(x.end)}"/>')
        parts.append(text(x.start - 6, y.at(value) + 4, figure(value), "end"))
    for value in (v for v in ticks(x.low, x.high, False, max(3, frame.width // 90)) if v == int(v)):
        parts.append(f'<path class="grid" d="M{_px(x.at(value))} {_px(y.start)}v4"/>')
        parts.append(text(x.at(value), y.start + 17, _place(value, frame), "middle"))
    parts.append(f'<path class="axis" d="M{_px(x.start)} {_px(y.start)}H{_px(x.end)}"/>')
    parts.append(text((x.start + x.end) / 2, frame.height - 6, frame.x, "middle", "name"))
    middle = (y.start + y.end) / 2
    parts.append(f'<g transform="rotate(-90 13 {_px(middle)})">{text(13, middle, frame.y, "middle", "name")}</g>')
    return "".join(parts)


def _place(value: float, frame: Frame) -> str:
    """What stands beside a tick of the x axis: the name of the place where it has one."""
    return short_name(frame.names[int(value)]) if frame.names else f"{value:,.0f}"


def _line(line: Line, x: Scale, y: Scale, frame: Frame) -> str:
    points = thinned(line.points, frame.width)
    style = styles(line, frame)
    drawn = "" if line.dots else f'<path class="line {style}" d="{path(points, x, y)}"/>'
    if line.faint:
        return drawn
    shown = [(at, v) for at, v in thinned(points, TIPS) if v is not None and math.isfinite(v) and (v > 0 or not y.log)]
    kind = "dot" if line.dots else "tip"
    radius = 2.5 if line.dots else 5
    return drawn + "".join(
        f'<circle class="{kind} {style}" cx="{_px(x.at(at))}" cy="{_px(y.at(v))}" r="{radius}">'
        f"<title>{spoken(line.name)} {figure(v)} at {at:,.0f}</title></circle>"
        for at, v in shown
    )


def _mark(mark: Mark, x: Scale, y: Scale) -> str:
    tip = f"<title>{spoken(mark.name)}</title>"
    if mark.x is not None and mark.y is not None:
        at, top = x.at(mark.x), y.at(mark.y)
        return f'<path class="{mark.style}" d="M{_px(at)} {_px(top - 4)}l5 -9h-10z">{tip}</path>'
    if mark.x is not None:
        at, end = x.at(mark.x), x.at(mark.until if mark.until is not None else mark.x)
        back = f"H{_px(end)}V{_px(y.end)}z" if end - at >= 1 else ""
        top = 2 + WORD * mark.row if mark.word and not back else y.end
        rule = f'<path class="{mark.style}" d="M{_px(at)} {_px(top)}V{_px(y.start)}{back}">{tip}</path>'
        side, anchor = (5, "start") if at + 5 + LETTER * len(mark.word) <= x.end else (-5, "end")
        return rule + (text(at + side, 12 + WORD * mark.row, mark.word, anchor, "label") if mark.word else "")
    level = y.at(mark.y if mark.y is not None else y.low)
    return f'<path class="{mark.style}" d="M{_px(x.start)} {_px(level)}H{_px(x.end)}">{tip}</path>'


def _strip(strip: Strip, x: Scale, y: Scale) -> str:
    pixels = [(x.at(first), max(x.at(last), x.at(first) + 1)) for first, last in strip.stretches]
    top = _px(y.start - STRIP)
    drawn = "".join(f"M{_px(a)} {top}H{_px(b)}V{_px(y.start)}H{_px(a)}z" for a, b in merged(pixels, 1))
    return f'<path class="{strip.style}" d="{drawn}"><title>{spoken(strip.name)}</title></path>' if drawn else ""


def _px(value: Number) -> str:
    """A pixel to one decimal, as short as it goes."""
    return f"{value:.1f}".removesuffix(".0")
