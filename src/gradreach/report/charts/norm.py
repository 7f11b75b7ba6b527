"""The figures over the steps of a run: its gradient norm, with all that happened to it, and its loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from gradreach.facts.clipping import limit_of
from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.spikes import Spike
from gradreach.facts.statistics import known
from gradreach.facts.wording import figure, local
from gradreach.record.schema import Step
from gradreach.report.charts.chart import SERIES, Frame, Line, Mark, Number, Strip, merged, thinned
from gradreach.report.charts.figures import WIDE, Figure, figure_of, points_of
from gradreach.report.run_text import of_rate

MARKS = 60
"""Spikes, and runs of non-finite steps, that are marked one by one."""

DECADES = 1e4
"""The largest loss over the smallest from which a linear axis would show the largest alone."""

STEPS = "steps"
"""The group of the figures over the steps of the run."""

_LEGEND = {"spike": "spike", "broken": "not finite", "clipped": "clipped"}


def norm_figure(facts: Facts, width: int = WIDE, height: int = 300) -> Figure | None:
    """The global norm before clipping, step by step on a log axis, one line for each site that calls backward."""
    steps = facts.steps
    lines = [
        Line(name, [(step.step, step.unclipped) for step in site.steps if step.unclipped is not None], style)
        for style, (name, site) in enumerate(_named(facts, "norm"))
        if site.norms
    ]
    limits, moving = _thresholds(facts, len(lines))
    clipped = [step.step for step in steps if _is_clipped(step)]
    broken, spiky = facts.nonfinite_steps, _spikes(facts.spikes)
    marks = [*limits, *_broken_marks(broken, steps), *spiky]
    caption, strips = f"Global norm of each measured {_unit(facts)}, before any clipping.", []
    if clipped:
        share = of_rate(facts.clipping)
        caption += f" The strip along the bottom marks the steps that were clipped, {share}."
        strips = [Strip("clipped", _drawable(_runs(clipped, steps)))]
    key = ((spiky, "spike"), (broken, "broken"), (clipped, "clipped"))
    return figure_of(
        Frame("Global gradient norm by step", "step", "norm", width, height, log=True),
        [*lines, *moving],
        marks,
        caption + _thinning(lines, width),
        both=width == WIDE,
        group=STEPS,
        strips=strips,
        key=tuple((_LEGEND[style], style) for there, style in key if there),
    )


def _unit(facts: Facts) -> str:
    return "backward pass" if facts.accumulation is None else "step, the sum of its passes"


def loss_figure(facts: Facts, width: int = WIDE, height: int = 190) -> Figure | None:
    """The loss, step by step, one line for each site; on a log axis where it is above 0 and spans many decades."""
    steps, broken = facts.steps, facts.nonfinite_steps
    lines = [
        Line(name, [(step.step, step.loss) for step in site.steps], style)
        for style, (name, site) in enumerate(_named(facts, "loss"))
    ]
    losses = known(step.loss for step in steps)
    log = bool(losses) and 0 < DECADES * min(losses) < max(losses)
    return figure_of(
        Frame("Loss by step", "step", "loss", width, height, log=log),
        lines,
        _broken_marks(broken, steps),
        "The loss that backward was called on." + (" On a log axis." if log else ""),
        both=width == WIDE,
        group=STEPS,
        key=((_LEGEND["broken"], "broken"),) if broken else (),
    )


def _named(facts: Facts, what: str) -> list[tuple[str, Site]]:
    """The first sites that call backward, each under the name of its line in a figure."""
    shown = sorted(facts.sites, key=lambda site: site.number)[:SERIES]
    if len(facts.sites) == 1:
        return [(what, shown[0])]
    return [(f"{what}, {local(site.name)}", site) for site in shown]


def _thresholds(facts: Facts, style: int) -> tuple[list[Mark], list[Line]]:
    """The clip threshold as a rule where it stays what it is, and where it changes as a line of its own."""
    rules: dict[float, Mark] = {}
    lines: list[Line] = []
    for name, site in _named(facts, "threshold"):
        scaled = site.clipping.scaled
        limits = [(s.step, limit) for s in site.steps if (limit := limit_of(s, scaled)) is not None]
        levels = {limit for _, limit in limits if math.isfinite(limit)}
        if len(levels) > 1:
            lines.append(Line(name, limits, max(style, 4) + len(lines)))
        else:
            rules |= {y: Mark("clip threshold", y=y, style="limit", word=f"threshold {figure(y)}") for y in levels}
    return list(rules.values()), lines


def _is_clipped(step: Step) -> bool:
    """Whether a step's norm lay above the threshold in force."""
    if step.threshold is None or step.clip == "value":
        return False
    norm = step.unclipped if step.pre_clip is None else step.pre_clip
    return norm is not None and norm > step.threshold


def _spikes(spikes: Sequence[Spike]) -> list[Mark]:
    """A triangle over each spike, where there are many over the highest."""
    norms = [spike for spike in spikes if spike.of == "norm"]
    highest = sorted(norms, key=lambda spike: spike.size, reverse=True)[:MARKS]
    return [
        Mark(f"spike at step {each.step:,}: {figure(each.size)}", x=each.step, y=each.size, style="spike")
        for each in sorted(highest, key=lambda each: each.step)
    ]


def _broken_marks(broken: Sequence[int], steps: Sequence[Step]) -> list[Mark]:
    """A band over each run of steps that are not finite; where there are many, neighbours share one."""
    norms = {step.step: step.unclipped for step in steps}
    runs = _runs(broken, steps)
    drawn = merged(runs, (runs[-1][1] - runs[0][0]) / MARKS) if len(runs) > MARKS else runs
    return [
        Mark(_broken(first, last, norms.get(int(first))), x=first, until=last, style="broken") for first, last in drawn
    ]


def _drawable(runs: Sequence[tuple[Number, Number]]) -> list[tuple[Number, Number]]:
    """The runs, those too near to each other for a screen to part drawn as one."""
    return merged(runs, (runs[-1][1] - runs[0][0]) / (2 * WIDE)) if runs else []


def _thinning(lines: Sequence[Line], width: int) -> str:
    """What a caption says where not every step is drawn."""
    whole = sum(len(line.points) for line in lines)
    kept = sum(len(thinned(line.points, points_of(width, len(lines)))) for line in lines)
    return f" Of each {2 * whole // kept} steps the lowest and the highest are drawn." if kept < whole else ""


def _broken(first: Number, last: Number, norm: float | None) -> str:
    if first == last:
        return f"not finite at step {first}" + (f": norm {figure(norm)}" if norm is not None else "")
    return f"not finite from step {first} to {last}"


def _runs(wanted: Sequence[int], steps: Sequence[Step]) -> list[tuple[Number, Number]]:
    """First and last of each unbroken run of the steps `wanted` among those recorded, in order."""
    named = set(wanted)
    runs: list[tuple[Number, Number]] = []
    for flag, run in groupby((step.step for step in steps), key=named.__contains__):
        if flag:
            members = list(run)
            runs.append((members[0], members[-1]))
    return runs
