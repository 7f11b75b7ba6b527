"""The figures of the page, each drawn from a record: norms, adjoints, truncation, depth, updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from gradreach.display.chart import Frame, Line, Mark, Points, plot, span, spoken, svg, text, ticks
from gradreach.display.chart import Scale as Axis
from gradreach.display.series import known
from gradreach.display.wording import count, figure
from gradreach.record.schema import DepthLook, Finding, Record, TimeLook
from gradreach.report import words
from gradreach.report.document import nonfinite_steps, norms_of, spikes, threshold

WIDE, NARROW = 1040, 400
ROWS = 44
"""Modules up to which the depth is drawn as named rows; a deeper model is drawn as a curve."""

MARKS = 60
"""Spikes, and runs of non-finite steps, that are marked one by one."""

FAINTEST = 1e-12
"""The least value that a log axis goes down to, relative to its largest: float32 sums hold no more."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawn figure: SVG by width of the screen (`narrow` empty where one fits all), its legend and a caption."""

    svg: str
    caption: str
    narrow: str = ""
    legend: tuple[tuple[str, str], ...] = ()


def norm_figure(record: Record, findings: Sequence[Finding]) -> Figure | None:
    """The global norm before clipping, step by step on a log axis, one line for each site that calls backward."""
    sites = sorted({step.site for step in record.steps})[:6]
    norms = dict(zip((step.step for step in record.steps), norms_of(record.steps), strict=True))
    places = [(step.step, step.site) for step in record.steps]
    lines = []
    for style, site in enumerate(sites):
        points = [(float(step), norms[step]) for step, at in places if at == site]
        if known(value for _, value in points):
            lines.append(Line(f"norm, {record.sites[site]}" if len(sites) > 1 else "norm", points, style))
    limit = threshold(record.steps)
    marks = [Mark("clip threshold", y=limit, word=f"threshold {figure(limit)}")] if limit else []
    marks += [
        Mark(_broken(first, last, norms.get(first)), x=float(first), until=float(last), style="broken")
        for first, last in _runs(nonfinite_steps(record), [step.step for step in record.steps])[:MARKS]
    ]
    marks += [
        Mark(f"spike at step {step}: {figure(value)}", x=float(step), y=value, style="spike")
        for step in spikes(findings)[:MARKS]
        if (value := norms.get(step)) is not None
    ]
    frame = Frame("Global gradient norm by step", "step", "norm", WIDE, 300, log=True)
    return figure_of(frame, lines, marks, "Global norm of each backward pass, before any clipping.", both=True)


def loss_figure(record: Record) -> Figure | None:
    """The loss, step by step, one line for each site."""
    sites = sorted({step.site for step in record.steps})[:6]
    lines = [
        Line(
            f"loss, {record.sites[site]}" if len(sites) > 1 else "loss",
            [(float(step.step), step.loss) for step in record.steps if step.site == site],
            style,
        )
        for style, site in enumerate(sites)
    ]
    frame = Frame("Loss by step", "step", "loss", WIDE, 190)
    return figure_of(frame, lines, [], "The loss that backward was called on.", both=True)


def adjoint_figure(seen: TimeLook) -> Figure | None:
    """‖δ_k‖ and ‖e_k‖ over the time steps of the data, on a log axis."""
    largest = max(known([*seen.adjoint, *seen.local_error]), default=0.0)
    lines = [
        Line("adjoint ‖δ‖", by_index(seen.adjoint)),
        Line("local error ‖e‖", by_index(seen.local_error), 2, dots=True),
    ]
    frame = Frame(
        f"Adjoint over time of {words.of_layer(seen)}", "time step k", "norm", log=True, floor=FAINTEST * largest
    )
    return figure_of(frame, lines, [], "What reaches the hidden state at step k: from above alone, and by all paths.")


def truncation_figure(seen: TimeLook) -> Figure | None:
    """Lag share s(ℓ) and truncation bias b(k) on one axis: both are relative to ‖dW‖."""
    lines = [
        Line("truncation bias b(k)", by_index(seen.truncation_bias), 3),
        Line("lag share s(ℓ)", by_index(seen.lag_share)),
    ]
    frame = Frame(
        f"Truncation bias and lag share of {words.of_layer(seen)}", "lag ℓ, or k2 = k steps", "relative to ‖dW‖"
    )
    return figure_of(
        frame, lines, [], "b(k): relative error of the weights' gradient if it were carried back only k steps."
    )


def gradient_figure(looks: Sequence[DepthLook]) -> Figure | None:
    """Rms of the gradient that reached each module's output, and of that output, in execution order."""
    series = (
        ("gradient rms", [seen.grad_rms for seen in looks], 0),
        ("activation rms", [seen.activation_rms for seen in looks], 4),
    )
    return _along_depth("Gradient along the depth", "rms", looks, series, "Modules in execution order, input first.")


def update_figure(looks: Sequence[DepthLook]) -> Figure | None:
    """‖Δw‖ / ‖w‖ of each module that has weights, in execution order."""
    trained = [seen for seen in looks if known([seen.update_ratio])]
    series = (("update ratio ‖Δw‖/‖w‖", [seen.update_ratio for seen in trained], 3),)
    return _along_depth(
        "Update ratios along the depth",
        "update ratio",
        trained,
        series,
        "Change of the weights in one step, relative to them.",
    )


def figure_of(
    frame: Frame, lines: Sequence[Line], marks: Sequence[Mark], caption: str, both: bool = False
) -> Figure | None:
    """Lines and marks drawn with their legend, for `both` widths of screen; None where there is nothing to draw."""
    drawn = plot(frame, lines, marks)
    if not drawn:
        return None
    narrow = plot(replace(frame, width=NARROW, height=min(frame.height, 240)), lines, marks) if both else ""
    shown = tuple((line.name, _key(line)) for line in lines if _drawn(line, frame))
    return Figure(drawn, caption, narrow, shown if len(shown) > 1 else ())


def _key(line: Line) -> str:
    return f"s{line.style}{' faint' if line.faint else ''}{' dots' if line.dots else ''}"


def _drawn(line: Line, frame: Frame) -> bool:
    return any(value > 0 or not frame.log for value in known(value for _, value in line.points))


Series = tuple[str, Sequence[float | None], int]


def _along_depth(
    title: str, axis: str, looks: Sequence[DepthLook], series: Sequence[Series], caption: str
) -> Figure | None:
    if len(looks) < 2 or not any(value > 0 for _, values, _ in series for value in known(values)):
        return None
    if len(looks) > ROWS:
        lines = [Line(name, by_index(values), style) for name, values, style in series]
        caption += f" {count(len(looks), 'module')}; their names are in the table below."
        return figure_of(Frame(title, "module", axis, WIDE, 280, log=True), lines, [], caption, both=True)
    legend = tuple((name, f"s{style}") for name, _, style in series)
    return Figure(_rows(title, axis, looks, series), caption, legend=legend if len(legend) > 1 else ())


def _rows(title: str, axis: str, looks: Sequence[DepthLook], series: Sequence[Series]) -> str:
    """One named row a module, in execution order downward; the figures as points on a common log axis."""
    frame = Frame(title, axis, "", height=22 * len(looks) + 44, left=168)
    x = Axis(
        *span([value for _, values, _ in series for value in values], log=True), frame.left, frame.width - 14, log=True
    )
    base = frame.height - 36
    parts = [
        f'<path class="grid" d="M{x.at(value):.1f} 4V{base}"/>{text(x.at(value), base + 15, figure(value), "middle")}'
        for value in ticks(x.low, x.high, True, 5)
    ]
    parts.append(text((x.start + x.end) / 2, frame.height - 4, axis, "middle", "name"))
    parts += [
        text(frame.left - 8, 22 * row + 19, words.of_module(seen), "end", "row", 24) for row, seen in enumerate(looks)
    ]
    for name, values, style in series:
        places = [(x.at(v), 22 * row + 15, v) for row, v in enumerate(values) if known([v]) and v]
        parts.append(_joined(places, style))
        parts += [
            _point(at, y, style, f"{name} of {words.of_module(looks[(y - 15) // 22])}: {figure(v)}")
            for at, y, v in places
        ]
    return svg(frame, "".join(parts))


def _joined(places: Sequence[tuple[float, int, float]], style: int) -> str:
    d = "".join(f"{'L' if i else 'M'}{at:.1f} {y}" for i, (at, y, _) in enumerate(places))
    return f'<path class="line s{style}" d="{d}"/>'


def _point(at: float, y: int, style: int, tip: str) -> str:
    return f'<circle class="dot s{style}" cx="{at:.1f}" cy="{y}" r="4"><title>{spoken(tip)}</title></circle>'


def _broken(first: int, last: int, norm: float | None) -> str:
    if first == last:
        return f"not finite at step {first}" + (f": norm {figure(norm)}" if norm is not None else "")
    return f"not finite from step {first} to {last}"


def _runs(broken: Sequence[int], steps: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of each unbroken run of `broken` among `steps`, both in order."""
    wanted, runs = set(broken), []
    for flag, run in groupby(steps, key=wanted.__contains__):
        members = list(run)
        if flag:
            runs.append((members[0], members[-1]))
    return runs


def by_index(values: Sequence[float | None]) -> Points:
    """Values at 0, 1, 2 …"""
    return [(float(place), value) for place, value in enumerate(values)]
