"""What a figure of the page is, and those of what was seen of one recurrence: adjoints, truncation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradreach.facts.statistics import known
from gradreach.record.kinds import of_layer
from gradreach.record.seen.recurrence import TimeLook
from gradreach.report.charts.chart import (
    Frame,
    Line,
    Mark,
    Points,
    Strip,
    plot,
    thinned,
)
from gradreach.report.charts.chart_data import chart_data

WIDE, NARROW = 1040, 400
TOLERANCE = 0.05
"""The truncation bias that a recommended k2 may have."""

FAINTEST = 1e-12
"""The least value that a log axis goes down to, relative to its largest: float32 sums hold no more."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawn figure under its title: SVG by width of the screen (`narrow` empty where one fits all), legend, caption.

    `data` describes the same chart as JSON for the page's script, empty where the drawing is all there is.
    """

    title: str
    svg: str
    caption: str
    narrow: str = ""
    legend: tuple[tuple[str, str], ...] = ()
    data: str = ""


def present(*drawn: Figure | None) -> tuple[Figure, ...]:
    """Those figures for which there was something to draw."""
    return tuple(figure for figure in drawn if figure is not None)


def adjoint_figure(seen: TimeLook) -> Figure | None:
    """‖δ_k‖ and ‖e_k‖ over the time steps of the data, on a log axis."""
    largest = max(known([*seen.adjoint, *seen.local_error]), default=0.0)
    lines = [
        Line("adjoint ‖δ‖", by_index(seen.adjoint)),
        Line("local error ‖e‖", by_index(seen.local_error), 2, dots=True),
    ]
    frame = Frame(f"Adjoint over time of {of_layer(seen)}", "time step k", "norm", log=True, floor=FAINTEST * largest)
    return figure_of(frame, lines, [], "What reaches the hidden state at step k: from above alone, and by all paths.")


def truncation_figure(seen: TimeLook) -> Figure | None:
    """Lag share s(ℓ) and truncation bias b(k) on one axis, both relative to ‖dW‖, and the k2 that they recommend."""
    lines = [
        Line("truncation bias b(k)", by_index(seen.truncation_bias), 3),
        Line("lag share s(ℓ)", by_index(seen.lag_share)),
    ]
    frame = Frame(f"Truncation bias and lag share of {of_layer(seen)}", "lag ℓ, or k2 = k steps", "relative to ‖dW‖")
    caption = "b(k): relative error of the weights' gradient if it were carried back only k steps. "
    if min(known(seen.lag_share), default=0.0) < 0:
        caption += "s(ℓ) under 0: that part of the gradient points against the whole. "
    k2 = window(seen)
    if k2 is None or k2 >= seen.T:
        return figure_of(frame, lines, [], f"{caption}No k2 under {seen.T} keeps it to 5 %.", group=lags_of(seen))
    marks = [Mark(f"k2 = {k2}: the smallest k with b(k) ≤ 5 %", x=k2, style="horizon", word=f"k2 = {k2}")]
    return figure_of(
        frame, lines, marks, f"{caption}k2 = {k2} is the smallest that keeps it to 5 %.", group=lags_of(seen)
    )


def window(seen: TimeLook) -> int | None:
    """The k2 that is recommended: the smallest k with truncation bias b(k) ≤ 5 %, None where no k seen has it."""
    return next((k for k, b in enumerate(seen.truncation_bias) if k > 0 and b <= TOLERANCE), None)


def lags_of(seen: TimeLook) -> str:
    """The group of the figures of one layer that lie over its lags."""
    return f"lags of {of_layer(seen)}"


def figure_of(
    frame: Frame,
    lines: Sequence[Line],
    marks: Sequence[Mark],
    caption: str,
    both: bool = False,
    group: str = "",
    strips: Sequence[Strip] = (),
    key: Sequence[tuple[str, str]] = (),
) -> Figure | None:
    """Lines, marks and strips drawn with their legend and given as data; None where there is nothing to draw.

    `both` draws it for two widths of screen, `group` links it to other figures over the same x axis, `key` adds to the
    legend, where the words of horizontal rules stand too.
    """
    lines = [replace(line, points=thinned(line.points, points_of(frame.width, len(lines)))) for line in lines]
    drawn = plot(frame, lines, marks, strips)
    if not drawn:
        return None
    small = replace(frame, width=NARROW, height=min(frame.height, 240))
    narrow = plot(small, lines, marks, strips) if both else ""
    curves = [(line.name, _key(line)) for line in lines if _drawn(line, frame)]
    shown = (*curves, *((mark.word, mark.style) for mark in marks if mark.word and mark.x is None), *key)
    data = chart_data(frame, lines, marks, strips, group)
    return Figure(frame.title, drawn, caption, narrow, shown if len(shown) > 1 else (), data)


def points_of(width: int, lines: int) -> int:
    """Points a line that a figure holds: enough for a screen when it is zoomed in fourfold, less among many lines."""
    return max(4 * width // max(lines, 1), width)


def _key(line: Line) -> str:
    return f"s{line.style}{' faint' if line.faint else ''}{' dots' if line.dots else ''}"


def _drawn(line: Line, frame: Frame) -> bool:
    return any(value > 0 or not frame.log for value in known(value for _, value in line.points))


def by_index(values: Sequence[float | None]) -> Points:
    """Values at 0, 1, 2 …"""
    return [(float(place), value) for place, value in enumerate(values)]
