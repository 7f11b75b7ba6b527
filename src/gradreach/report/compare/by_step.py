"""The figures that every step has: loss, norm, clipping, time; compared by batches of the same steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from gradreach.facts.clipping import clipped_norm
from gradreach.facts.facts import Facts
from gradreach.facts.statistics import quantile
from gradreach.record.schema import Step
from gradreach.report.compare.measure import Measure, MeasureKey, Part, quotient
from gradreach.report.compare.noise import BATCHES, DRIFTS, FEWEST, SHORTEST, Change, paired, unpaired

IN_A_BATCH = 2
"""Measured steps that each batch needs of either run."""

Points = Sequence[tuple[int, float]]
"""Steps, and what was measured on them."""

Batches = tuple[list[float], list[float]]
Statistic = Callable[[Sequence[float]], float]


def of_sites(a: Facts, b: Facts, part: Part, sites: Sequence[tuple[int, int]]) -> list[Measure]:
    """Loss, norm and clipping at each line that calls backward in both runs."""
    made = []
    for x, y in sites:
        place = b.site_name(y) if len(sites) > 1 else ""
        here, there = a.all_sites[x].steps, b.all_sites[y].steps
        made += [
            _mean_of("loss", "loss", place, _losses(here), _losses(there), part),
            _median_of("norm", "gradient norm", place, "", _norms(here), _norms(there), part),
            _largest(place, _norms(here), _norms(there), part),
            _clip_rate(place, _clipped(here), _clipped(there), part),
        ]
    return [each for each in made if each.a is not None or each.b is not None]


def of_runs(a: Facts, b: Facts, part: Part) -> list[Measure]:
    """What no single line of the script has: steps that are not finite, the time a step takes, the overhead."""
    broken = float(len(a.nonfinite_steps)), float(len(b.nonfinite_steps))
    made = [
        Measure("nonfinite_steps", "steps not finite", "", "", *broken, "all steps", lacking="a count"),
        _median_of("seconds_a_step", "time a step", "", "s", _paces(a.record.steps), _paces(b.record.steps), part),
        Measure("overhead", "overhead", "", "share", _cost(a), _cost(b), "all steps", lacking="one figure a run"),
    ]
    return [each for each in made if each.a is not None or each.b is not None]


def _cost(facts: Facts) -> float | None:
    overhead = facts.record.overhead
    return overhead.measured if overhead is not None else None


def _losses(steps: Sequence[Step]) -> Points:
    return [(step.step, step.loss) for step in steps if step.loss is not None and math.isfinite(step.loss)]


def _norms(steps: Sequence[Step]) -> Points:
    pairs = [(step.step, step.unclipped) for step in steps]
    return [(step, norm) for step, norm in pairs if norm is not None and math.isfinite(norm)]


def _paces(steps: Sequence[Step]) -> Points:
    """The seconds a step took, from one measured step to the next."""
    return [
        (after.step, (after.seconds - before.seconds) / (after.step - before.step))
        for before, after in pairwise(steps)
        if after.step > before.step and after.seconds > before.seconds
    ]


def _clipped(steps: Sequence[Step]) -> Points:
    """1 where the threshold on the norm cut a step, else 0; nothing where there was none."""
    seen = []
    for step in steps:
        norm = clipped_norm(step)
        if step.threshold is not None and step.clip != "value" and norm is not None and math.isfinite(norm):
            seen.append((step.step, float(norm > step.threshold)))
    return seen


def _mean_of(key: MeasureKey, name: str, place: str, a: Points, b: Points, part: Part, unit: str = "") -> Measure:
    """The mean over the part that is compared."""
    over = f"mean, {_steps(part)}"
    batches = _batched(a, b, part, _mean)
    if isinstance(batches, str):
        here, there = _values(a, part), _values(b, part)
        x, y = (_mean(values) if values else None for values in (here, there))
        sparse = _sparse(here, there, part, 1.0 if unit == "share" else 0.0)
        return Measure(key, name, place, unit, x, y, over, sparse, lacking="" if sparse else batches)
    grain = BATCHES / min(len(a), len(b)) if unit == "share" else 0.0
    change = paired(*batches, grain, drift=_length(part) >= DRIFTS * BATCHES)
    return Measure(key, name, place, unit, _mean(batches[0]), _mean(batches[1]), over, change)


def _median_of(key: MeasureKey, name: str, place: str, unit: str, a: Points, b: Points, part: Part) -> Measure:
    """The median, and its change as a ratio: of each batch the median of the logarithms, and of these the mean."""
    a, b = ([(step, math.log(value)) for step, value in side if value > 0] for side in (a, b))
    over = f"median, {_steps(part)}"
    batches = _batched(a, b, part, _middle)
    if isinstance(batches, str):
        here, there = _values(a, part), _values(b, part)
        x, y = (math.exp(_middle(values)) if values else None for values in (here, there))
        sparse = _sparse(here, there, part, 0.0)
        change = None if sparse is None else quotient(sparse)
        return Measure(key, name, place, unit, x, y, over, change, ratio=True, lacking="" if change else batches)
    x, y = math.exp(_mean(batches[0])), math.exp(_mean(batches[1]))
    change = quotient(paired(*batches, drift=_length(part) >= DRIFTS * BATCHES))
    return Measure(key, name, place, unit, x, y, over, change, ratio=True)


def _largest(place: str, a: Points, b: Points, part: Part) -> Measure:
    x, y = (max(_values(side, part), default=None) for side in (a, b))
    lacking = "an extreme: one value a run"
    return Measure("largest_norm", "largest norm", place, "", x, y, f"largest, {_steps(part)}", lacking=lacking)


def _clip_rate(place: str, a: Points, b: Points, part: Part) -> Measure:
    a, b = ([(step, cut) for step, cut in side if part.first <= step <= part.last] for side in (a, b))
    made = _mean_of("clip_rate", "steps clipped", place, a, b, part, "share")
    without = [letter for letter, side in (("A", a), ("B", b)) if not side]
    if not without:
        return made
    lacking = f"{' and '.join(without)} {'clips' if len(without) == 1 else 'clip'} nothing by norm"
    return Measure(made.key, made.name, place, made.unit, made.a, made.b, made.over, lacking=lacking)


def _batched(a: Points, b: Points, part: Part, statistic: Statistic) -> Batches | str:
    """Of each of BATCHES equal stretches the statistic of either run; what is lacking where there are too few steps."""
    if _length(part) < SHORTEST * BATCHES:
        return f"fewer than {SHORTEST * BATCHES} steps to compare"
    sides = []
    for name, points in (("A", a), ("B", b)):
        batches: list[list[float]] = [[] for _ in range(BATCHES)]
        for step, value in points:
            if part.first <= step <= part.last:
                batches[(step - part.first) * BATCHES // _length(part)].append(value)
        if min(map(len, batches)) < IN_A_BATCH:
            return f"{name} measured too few of these steps"
        sides.append([statistic(batch) for batch in batches])
    return sides[0], sides[1]


def _sparse(a: Sequence[float], b: Sequence[float], part: Part, grain: float) -> Change | None:
    """The change where a run measured too few steps for batches: from these themselves, which then lie far apart."""
    if _length(part) < SHORTEST * BATCHES or min(len(a), len(b)) < FEWEST:
        return None
    return unpaired(a, b, grain)


def _values(points: Points, part: Part) -> list[float]:
    return [value for step, value in points if part.first <= step <= part.last]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _middle(values: Sequence[float]) -> float:
    middle = quantile(values, 0.5)
    assert middle is not None
    return middle


def _length(part: Part) -> int:
    return part.last - part.first + 1


def _steps(part: Part) -> str:
    return f"steps {part.first:,}–{part.last:,}"
