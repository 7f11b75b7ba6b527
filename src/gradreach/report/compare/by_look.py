"""The figures that only watched steps have: through time of each recurrent layer, through depth of each module."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gradreach.facts.depth import in_order
from gradreach.facts.facts import Facts
from gradreach.facts.statistics import known
from gradreach.facts.time import layers_of, usual_length
from gradreach.facts.wording import count
from gradreach.record.kinds import of_layer
from gradreach.record.look import Look
from gradreach.record.seen.depth import DepthLook
from gradreach.record.seen.recurrence import TimeLook
from gradreach.report import run_text
from gradreach.report.compare.measure import Measure, MeasureKey, Part, quotient
from gradreach.report.compare.noise import FEWEST, unpaired

Sites = Sequence[tuple[int, int]]


class Layer(NamedTuple):
    """One direction of one recurrent layer, whichever line called backward: that line's number differs between runs."""

    module: str
    layer: int
    direction: str


def of_time(a: Facts, b: Facts, part: Part, sites: Sites) -> list[Measure]:
    """Horizon and factor of each recurrent layer that both runs watched."""
    made = []
    for x, y in sites:
        span = _span(a, b, part, (x, y))
        here, there = layers(a, span, x), layers(b, span, y)
        for key in (key for key in there if key in here):
            place = of_layer(there[key][-1]) + _at(b, y, sites)
            x_seen, y_seen = here[key], there[key]
            horizons = [[float(seen.horizon) for seen in side if known(seen.reach)] for side in (x_seen, y_seen)]
            factors = [known(seen.factor for seen in side) for side in (x_seen, y_seen)]
            made.append(_looked("horizon", "horizon", place, "steps", span, horizons[0], horizons[1], grain=1.0))
            made.append(_looked("factor", "factor", place, "per step", span, factors[0], factors[1]))
    return [each for each in made if each.a is not None or each.b is not None]


def of_depth(a: Facts, b: Facts, part: Part, sites: Sites) -> list[Measure]:
    """Of each module that both runs watched the rms of the gradient and the update's ratio."""
    made = []
    for x, y in sites:
        span = _span(a, b, part, (x, y))
        here, there = modules(a, span, x), modules(b, span, y)
        for name in (name for name in there if name in here):
            place = run_text.of_module(there[name][-1]) + _at(b, y, sites)
            rms = [_logs(seen.grad_rms for seen in side[name]) for side in (here, there)]
            ratio = [_logs(seen.update_ratio for seen in side[name]) for side in (here, there)]
            made.append(_looked("grad_rms", "gradient rms", place, "", span, rms[0], rms[1], ratio=True))
            made.append(_looked("update_ratio", "update ratio", place, "", span, ratio[0], ratio[1], ratio=True))
    return [each for each in made if each.a is not None or each.b is not None]


def layers(facts: Facts, part: Part, site: int) -> dict[Layer, list[TimeLook]]:
    """The looks at each recurrent layer at its usual length, within the part."""
    found = layers_of(_looks(facts, part, site))
    return {
        Layer(key.module, key.layer, key.direction): usual_length([shown.layer for shown in looks])
        for key, looks in found.items()
    }


def modules(facts: Facts, part: Part, site: int) -> dict[str, list[DepthLook]]:
    """The looks at each module within the part, in the order of execution."""
    found: dict[str, list[DepthLook]] = {}
    for look in _looks(facts, part, site):
        for seen in in_order(look):
            found.setdefault(seen.module, []).append(seen)
    return found


def _looks(facts: Facts, part: Part, site: int) -> list[Look]:
    return [look for look in facts.record.looks if part.first <= look.step <= part.last and look.site == site]


def _span(a: Facts, b: Facts, part: Part, pair: tuple[int, int]) -> Part:
    """The part itself where both runs have enough looks in it, else all from step 0 on to its end."""
    enough = all(len(_looks(facts, part, site)) >= FEWEST for facts, site in zip((a, b), pair, strict=True))
    return part if enough else Part(0, part.last)


def _looked(
    key: MeasureKey,
    name: str,
    place: str,
    unit: str,
    span: Part,
    a: Sequence[float],
    b: Sequence[float],
    *,
    ratio: bool = False,
    grain: float = 0.0,
) -> Measure:
    """The mean over the looks of either run; of logarithms where `ratio`."""
    x, y = (_mean(side, ratio) if side else None for side in (a, b))
    over = f"mean of {len(a)} and {count(len(b), 'look')}, steps {span.first:,}–{span.last:,}"
    if min(len(a), len(b)) < FEWEST:
        lacking = f"fewer than {FEWEST} looks at {'A' if len(a) < FEWEST else 'B'}"
        return Measure(key, name, place, unit, x, y, over, ratio=ratio, lacking=lacking)
    change = unpaired(a, b, grain)
    return Measure(key, name, place, unit, x, y, over, quotient(change) if ratio else change, ratio)


def _mean(values: Sequence[float], logs: bool) -> float:
    mean = math.fsum(values) / len(values)
    return math.exp(mean) if logs else mean


def _logs(values: Iterable[float | None]) -> list[float]:
    return [math.log(value) for value in known(values) if value > 0]


def _at(facts: Facts, site: int, sites: Sites) -> str:
    """The line that calls backward, where there are several."""
    return f", backward at {facts.site_name(site)}" if len(sites) > 1 else ""
