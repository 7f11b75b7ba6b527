"""The figures over the steps of a run: its gradient norm, with all that happened to it, and its loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

from gradreach.facts import wording
from gradreach.facts.course import site_name
from gradreach.facts.statistics import known
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding, Record, Step
from gradreach.report.charts.chart import SERIES, Frame, Line, Mark, Number, Strip, merged, thinned
from gradreach.report.charts.figures import WIDE, Figure, figure_of, points_of
from gradreach.report.json_report import clip_rate, nonfinite_steps, norms_of, spikes

MARKS = 60
"""Spikes, and runs of non-finite steps, that are marked one by one."""

STEPS = "steps"
"""The group of the figures over the steps of the run."""

_LEGEND = {"spike": "spike", "broken": "not finite", "clipped": "clipped"}


def norm_figure(record: Record, findings: Sequence[Finding]) -> Figure | None:
    """The global norm before clipping, step by step on a log axis, one line for each site that calls backward."""
    norms = dict(zip((step.step for step in record.steps), norms_of(record.steps), strict=True))
    lines = [
        Line(name, [(step.step, norms[step.step]) for step in steps], style)
        for style, (name, steps) in enumerate(_by_site(record, "norm"))
        if known(norms[step.step] for step in steps)
    ]
    limits, moving = _thresholds(record, len(lines))
    clipped = _clipped(record.steps)
    broken, spiky = nonfinite_steps(record), _spikes(findings, norms)
    marks = [*limits, *_broken_marks(broken, record, norms), *spiky]
    caption, strips = "Global norm of each backward pass, before any clipping.", []
    if clipped:
        share = percent(clip_rate(record.steps))
        caption += f" The strip along the bottom marks the steps that were clipped, {share}."
        strips = [Strip("clipped", _drawable(_runs(clipped, record)))]
    key = ((spiky, "spike"), (broken, "broken"), (clipped, "clipped"))
    return figure_of(
        Frame("Global gradient norm by step", "step", "norm", WIDE, 300, log=True),
        [*lines, *moving],
        marks,
        caption + _thinning(lines),
        both=True,
        group=STEPS,
        strips=strips,
        key=tuple((_LEGEND[style], style) for there, style in key if there),
    )


def loss_figure(record: Record) -> Figure | None:
    """The loss, step by step, one line for each site."""
    lines = [
        Line(name, [(step.step, step.loss) for step in steps], style)
        for style, (name, steps) in enumerate(_by_site(record, "loss"))
    ]
    frame = Frame("Loss by step", "step", "loss", WIDE, 190)
    return figure_of(frame, lines, [], "The loss that backward was called on.", both=True, group=STEPS)


def _by_site(record: Record, what: str) -> list[tuple[str, list[Step]]]:
    """The steps of each of the first sites that call backward, under the name of their line in a figure."""
    sites: dict[int, list[Step]] = {}
    for step in record.steps:
        sites.setdefault(step.site, []).append(step)
    shown = sorted(sites)[:SERIES]
    if len(sites) == 1:
        return [(what, sites[shown[0]])]
    return [(f"{what}, {wording.local(site_name(record, site))}", sites[site]) for site in shown]


def _thresholds(record: Record, style: int) -> tuple[list[Mark], list[Line]]:
    """The clip threshold as a rule where it stays what it is, and where it changes as a line of its own."""
    rules: dict[float, Mark] = {}
    lines: list[Line] = []
    for name, steps in _by_site(record, "threshold"):
        limits = [(s.step, s.threshold) for s in steps if s.threshold is not None and s.clip != "value"]
        levels = {limit for _, limit in limits if math.isfinite(limit)}
        if len(levels) > 1:
            lines.append(Line(name, limits, max(style, 4) + len(lines)))
        else:
            rules |= {y: Mark("clip threshold", y=y, style="limit", word=f"threshold {figure(y)}") for y in levels}
    return list(rules.values()), lines


def _clipped(steps: Sequence[Step]) -> list[int]:
    """The steps whose norm lay above the threshold in force."""
    seen = (
        (step, measured if step.pre_clip is None else step.pre_clip)
        for step, measured in zip(steps, norms_of(steps), strict=True)
        if step.threshold is not None and step.clip != "value"
    )
    return [step.step for step, norm in seen if norm is not None and norm > (step.threshold or 0.0)]


def _spikes(findings: Sequence[Finding], norms: Mapping[int, float | None]) -> list[Mark]:
    """A triangle over each spike, where there are many over the highest."""
    there = [(value, step) for step in spikes(findings) if (value := norms.get(step)) is not None]
    highest = sorted(there, reverse=True)[:MARKS]
    return [Mark(f"spike at step {step:,}: {figure(v)}", x=step, y=v, style="spike") for v, step in sorted(highest)]


def _broken_marks(broken: Sequence[int], record: Record, norms: Mapping[int, float | None]) -> list[Mark]:
    """A band over each run of steps that are not finite; where there are many, neighbours share one."""
    runs = _runs(broken, record)
    drawn = merged(runs, (runs[-1][1] - runs[0][0]) / MARKS) if len(runs) > MARKS else runs
    return [
        Mark(_broken(first, last, norms.get(int(first))), x=first, until=last, style="broken") for first, last in drawn
    ]


def _drawable(runs: Sequence[tuple[Number, Number]]) -> list[tuple[Number, Number]]:
    """The runs, those too near to each other for a screen to part drawn as one."""
    return merged(runs, (runs[-1][1] - runs[0][0]) / (2 * WIDE)) if runs else []


def _thinning(lines: Sequence[Line]) -> str:
    """What a caption says where not every step is drawn."""
    whole = sum(len(line.points) for line in lines)
    kept = sum(len(thinned(line.points, points_of(WIDE, len(lines)))) for line in lines)
    return f" Of each {2 * whole // kept} steps the lowest and the highest are drawn." if kept < whole else ""


def _broken(first: Number, last: Number, norm: float | None) -> str:
    if first == last:
        return f"not finite at step {first}" + (f": norm {figure(norm)}" if norm is not None else "")
    return f"not finite from step {first} to {last}"


def _runs(wanted: Sequence[int], record: Record) -> list[tuple[Number, Number]]:
    """First and last of each unbroken run of the steps `wanted` among those recorded, in order."""
    named = set(wanted)
    runs: list[tuple[Number, Number]] = []
    for flag, run in groupby((step.step for step in record.steps), key=named.__contains__):
        if flag:
            members = list(run)
            runs.append((members[0], members[-1]))
    return runs
