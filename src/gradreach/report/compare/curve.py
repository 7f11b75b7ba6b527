"""The curves of two runs, one over the other: norm and loss by step, reach by lag, the gradient along the depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.facts import Facts
from gradreach.facts.statistics import known
from gradreach.record.kinds import of_layer
from gradreach.record.seen.recurrence import TimeLook
from gradreach.report import run_text
from gradreach.report.charts.chart import Points, thinned
from gradreach.report.compare.by_look import layers, modules
from gradreach.report.compare.measure import Part

MOST = 4000
"""Points of a curve that are kept: of each stretch the lowest and the highest."""

Sites = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class CurvePair:
    """The same curve of both runs. `marks` are the horizons of A and B where it is a reach curve, `names` those of the
    places on the x axis where these are modules."""

    title: str
    x: str
    y: str
    log: bool
    a: Points
    b: Points
    marks: tuple[int, int] | None = None
    names: tuple[str, ...] = ()


def curves(a: Facts, b: Facts, part: Part, sites: Sites) -> tuple[CurvePair, ...]:
    """All curves that both runs have."""
    looked = Part(0, part.last)
    made = [*_by_step(a, b, sites), *_reach(a, b, looked, sites), *_depth(a, b, looked, sites)]
    return tuple(each for each in made if known(y for _, y in each.a) and known(y for _, y in each.b))


def _by_step(a: Facts, b: Facts, sites: Sites) -> list[CurvePair]:
    made = []
    for x, y in sites:
        at = _at(b, y, sites)
        sides = a.all_sites[x].steps, b.all_sites[y].steps
        here, there = (thinned([(step.step, step.loss) for step in side], MOST) for side in sides)
        made.append(CurvePair(f"Loss by step{at}", "step", "loss", False, here, there))
        taken = ([(step.step, step.unclipped) for step in side if step.unclipped is not None] for side in sides)
        here, there = (thinned(norms, MOST) for norms in taken)
        made.append(CurvePair(f"Gradient norm by step{at}", "step", "norm", True, here, there))
    return made


def _reach(a: Facts, b: Facts, looked: Part, sites: Sites) -> list[CurvePair]:
    """The reach of each layer at the last look that has a finite one."""
    made = []
    for x, y in sites:
        here, there = layers(a, looked, x), layers(b, looked, y)
        for key in (key for key in there if key in here):
            first, last = _last(here[key]), _last(there[key])
            if first is None or last is None:
                continue
            title = f"Reach of {of_layer(last)}{_at(b, y, sites)}"
            curves = list(enumerate(first.reach)), list(enumerate(last.reach))
            made.append(CurvePair(title, "lag ℓ, steps back", "reach", True, *curves, (first.horizon, last.horizon)))
    return made


def _depth(a: Facts, b: Facts, looked: Part, sites: Sites) -> list[CurvePair]:
    """The gradient's rms along the modules that both runs watched, each at its last look, in B's order of execution."""
    made = []
    for x, y in sites:
        here, there = modules(a, looked, x), modules(b, looked, y)
        names = [name for name in there if name in here]
        if len(names) < 2:
            continue
        first, last = ([(i, side[name][-1].grad_rms) for i, name in enumerate(names)] for side in (here, there))
        shown = tuple(run_text.of_module(there[name][-1]) for name in names)
        title = f"Gradient along the depth{_at(b, y, sites)}"
        made.append(CurvePair(title, "module", "rms", True, first, last, names=shown))
    return made


def _last(looks: Sequence[TimeLook]) -> TimeLook | None:
    return next((seen for seen in reversed(looks) if known(seen.reach)), None)


def _at(facts: Facts, site: int, sites: Sites) -> str:
    return f", backward at {facts.site_name(site)}" if len(sites) > 1 else ""
