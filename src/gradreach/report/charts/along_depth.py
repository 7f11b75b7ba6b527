"""The figures along the modules of a model: named rows where they are few, curves where they are many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.statistics import known
from gradreach.facts.wording import count, figure
from gradreach.record.seen.depth import DepthLook
from gradreach.report import run_text
from gradreach.report.charts.chart import Frame, Line, Scale, span, spoken, svg, text, ticks
from gradreach.report.charts.figures import NARROW, WIDE, Figure, by_index, figure_of, present

ROWS = 44
"""Modules up to which the depth is drawn as named rows; a deeper model is drawn as curves."""

ROW = 22
"""Height of a row, in pixels."""

FEW = 9
"""Modules up to which the overview has rows."""

GAP = 56
"""Pixels between two columns."""

ZERO = 34
"""Width of the column at the left of a log axis where what is exactly 0 stands, in pixels."""

MODULES = "modules"
"""The group of the figures over the modules of a model."""


@dataclass(frozen=True, slots=True)
class Series:
    """A figure of each module, None where it has none; `style` picks colour and dashes."""

    name: str
    values: Sequence[float | None]
    style: int


@dataclass(frozen=True, slots=True)
class Column:
    """Series over one log axis of their own, whose title is `axis`."""

    axis: str
    series: Sequence[Series]


def depth_figures(looks: Sequence[DepthLook], step: int) -> tuple[Figure, ...]:
    """The rms of the gradient that reached each module's output, of that output, and the ratio of each update."""
    gradient = Series("gradient rms", [seen.grad_rms for seen in looks], 0)
    activation = Series("activation rms", [seen.activation_rms for seen in looks], 4)
    update = Series("update ratio ‖Δw‖/‖w‖", [seen.update_ratio for seen in looks], 3)
    names = tuple(map(run_text.of_module, looks))
    both = (Column("rms", (gradient, activation)), Column("update ratio", (update,)))
    columns = [column for column in both if any(_above_zero(each.values) for each in column.series)]
    of_step = f"At step {step:,}; modules in execution order, input first."
    if len(looks) < 2 or not columns:
        return ()
    if len(looks) <= ROWS:
        updates = " Update ratio: the change of the weights in one step, relative to them." if len(columns) > 1 else ""
        return (row_figure("Gradient, activations and updates by module", names, columns, of_step + updates),)
    curves = ("Gradient along the depth", gradient, activation), ("Updates along the depth", update)
    return present(*(_curve(title, names, series, of_step, WIDE, 240) for title, *series in curves))


def overview(looks: Sequence[DepthLook], step: int, width: int, height: int) -> Figure | None:
    """The gradient's rms alone along the depth: as rows where they are few, else as a curve."""
    title = "How the gradient gets through the depth"
    gradient = Series("gradient rms", [seen.grad_rms for seen in looks], 0)
    names = tuple(map(run_text.of_module, looks))
    caption = f"Root mean square of the gradient at each module's output, at step {step:,}"
    zeros = [name for name, value in zip(names, gradient.values, strict=True) if value == 0]
    if not _above_zero(gradient.values):
        return None
    if len(looks) <= FEW:
        hollow = " Hollow: exactly 0." if zeros else ""
        drawn = _rows(title, names, [Column("gradient rms", [gradient])], width, 170)
        return Figure(title, drawn, f"{caption}; input at the top.{hollow}")
    if zeros:
        hollow = f" Exactly 0, and so not drawn: {count(len(zeros), 'module')}, the first of them {zeros[0]}."
        return _curve(title, names, [gradient], f"{caption}; input at the left.{hollow}", width, height)
    return _curve(title, names, [gradient], f"{caption}; input at the left.", width, height)


def row_figure(title: str, names: Sequence[str], columns: Sequence[Column], caption: str) -> Figure:
    """One named row a module, downward; the columns beside each other, on a narrow screen one below the other."""
    wide = _rows(title, names, columns, WIDE, 250)
    narrow = "".join(_rows(f"{title}: {column.axis}", names, [column], NARROW, 150) for column in columns)
    series = [each for column in columns for each in column.series]
    legend = [(each.name, f"s{each.style}") for each in series]
    if any(value == 0 for each in series for value in known(each.values)):
        legend.append(("exactly 0", "dots zero"))
    return Figure(title, wide, caption, narrow, tuple(legend) if len(legend) > 1 else ())


def _above_zero(values: Sequence[float | None]) -> bool:
    return any(value > 0 for value in known(values))


def _curve(
    title: str, names: tuple[str, ...], series: Sequence[Series], caption: str, width: int, height: int
) -> Figure | None:
    lines = [Line(each.name, by_index(each.values), each.style) for each in series]
    frame = Frame(title, "module", series[0].name if len(series) == 1 else "rms", width, height, log=True, names=names)
    return figure_of(frame, lines, [], caption, both=width == WIDE, group=MODULES)


def _rows(title: str, names: Sequence[str], columns: Sequence[Column], width: int, left: int) -> str:
    base = ROW * len(names) + 4
    letters = (left - 12) // 7
    parts = [text(left - 8, ROW * row + 19, name, "end", "row", letters) for row, name in enumerate(names)]
    each = (width - left - GAP * (len(columns) - 1)) / len(columns)
    for place, column in enumerate(columns):
        start = left + place * (each + GAP)
        parts.append(_column(names, column, start, start + each - 16, base))
    return svg(Frame(title, "", "", width, base + 40), "".join(parts))


def _column(names: Sequence[str], column: Column, start: float, end: float, base: int) -> str:
    values = [value for each in column.series for value in each.values]
    zeros = any(value == 0 for value in known(values))
    x = Scale(*span(values, log=True), start + (ZERO if zeros else 0), end, log=True)
    parts = [
        f'<path class="grid" d="M{x.at(value):.1f} 4V{base}"/>{text(x.at(value), base + 15, figure(value), "middle")}'
        for value in ticks(x.low, x.high, True, 4)
    ]
    if zeros:
        parts.append(text(start, base + 15, "0", "middle"))
    parts.append(text((x.start + x.end) / 2, base + 33, column.axis, "middle", "name"))
    for series in column.series:
        parts.append(
            _joined(
                [(x.at(v), ROW * row + 15) for row, v in enumerate(series.values) if known([v]) and v], series.style
            )
        )
        parts += [
            _point(name, series, value, start if value == 0 else x.at(value), ROW * row + 15)
            for row, (name, value) in enumerate(zip(names, series.values, strict=True))
            if value is not None
        ]
    return "".join(parts)


def _joined(places: Sequence[tuple[float, int]], style: int) -> str:
    d = "".join(f"{'L' if i else 'M'}{at:.1f} {y}" for i, (at, y) in enumerate(places))
    return f'<path class="line s{style}" d="{d}"/>' if d else ""


def _point(name: str, series: Series, value: float, at: float, y: int) -> str:
    """A dot, hollow for what is exactly 0; what is not finite is written."""
    tip = f"<title>{spoken(f'{series.name} of {name}: {figure(value)}')}</title>"
    if not math.isfinite(value):
        return text(at, y + 4, figure(value), "end", "label")
    style = f"dot s{series.style}{' zero' if value == 0 else ''}"
    return f'<circle class="{style}" cx="{at:.1f}" cy="{y}" r="4">{tip}</circle>'
