"""Why a run turned NaN: where the first such value arose, what came before it, and the way out."""

from __future__ import annotations

from gradreach.facts.breaks import TELLS_ROW, Growth, fault, line, only_shows, spot, symbol
from gradreach.facts.facts import Facts
from gradreach.facts.input_size import RAW
from gradreach.facts.wording import capital, figure, shortened
from gradreach.record.schema import NonFinite, Step
from gradreach.rules.non_finite_remedies import remedies_for

ENOUGH = 3
"""Norms before the break from which on it can be said that they did not grow."""

GROWTH = ("", "overflow", "update too large", "exp overflow", "half overflow")
"""Causes that a growing norm leads to; a logarithm of 0 or a row of bad data comes of none."""

_ARISES = {
    "input": "The data",
    "parameters": "The weights",
    "forward": "The forward pass",
    "loss": "The loss",
    "backward": "The backward pass",
}


def why_broken(facts: Facts, first: int) -> tuple[str, str]:
    """Why step `first` was the first with a non-finite value: in short, and the rest of the sentence."""
    found = facts.origin
    if found is None or found.step > first:
        return "Its origin was not recorded", f". {_before(facts, first, None)} With --every 1 the place is found."
    before, way_out = _before(facts, found.step, found), _way_out(facts, found)
    what = fault(found)
    if not what:
        return f"{_ARISES[found.phase]}{_place(found)}", f" {_held(found)}. {before} Way out: {way_out}."
    short = capital(shortened(what, 90))
    return short, f"{_where(found)}: the first {symbol(found)}. {before} Way out: {way_out}."


def _where(found: NonFinite) -> str:
    """Where the operation stands: row, module, time step and line, as far as they are known."""
    row = f", {spot(found)}" if found.cause in TELLS_ROW and spot(found) else ""
    link = "for" if found.phase == "input" else "in"
    module = f" {link} `{shortened(found.module.replace('`', ''), 40)}`" if found.module else ""
    at = f", at its time step {found.time_step:,}" if found.time_step is not None else ""
    source = line(found) if found.source else ""
    if len(source) > 100:  # what stands there says more than where, but not in part
        source = shortened(source.partition(" (`")[0], 100)
    return f"{row}{module}{at}" + (f", at {source}" if source else "")


def _place(found: NonFinite) -> str:
    link = "for" if found.phase == "input" else "of"
    module = f" {link} `{shortened(found.module.replace('`', ''), 40)}`" if found.module else ""
    operation = shortened(found.operation, 40)
    return module + (f" ({operation})" if operation else "")


def _held(found: NonFinite) -> str:
    if only_shows(found):
        return f"shows the first {symbol(found)}; what the model gave it was not seen"
    at = f", at its time step {found.time_step:,}" if found.time_step is not None else ""
    made = "held" if found.phase in ("input", "parameters") else "made"
    return f"{made} the first {symbol(found)}{at}"


def _before(facts: Facts, first: int, found: NonFinite | None) -> str:
    """What the steps before the break were like, and the loss scale in force."""
    broken = next((step for step in facts.record.steps if step.step == first), None)
    steps = _steps_before(facts, found.site if found is not None else broken.site if broken is not None else 0, first)
    scale = broken.scale if broken is not None else 1.0
    under = f" Loss scale: {figure(scale, 6)}." if scale != 1.0 else ""
    norm, loss = Growth.of([s.unclipped for s in steps]), Growth.of([s.loss for s in steps])
    if not steps or norm is None:
        return f"No sound step came before.{under}" if not steps else f"No norm was measured before.{under}"
    for name, series in (("norm", norm), ("loss", loss)):
        if series is not None and series.grown:
            grown = f"the {name} had grown from {figure(series.usual)} to {figure(series.last)}"
            return f"In {_over(series)} before, {grown}.{under}"
    if norm.steps < ENOUGH:
        return f"The last norm before was {figure(norm.last)}.{under}"
    return f"No growth came before: the last norm was {figure(norm.last)}, the usual one {figure(norm.usual)}.{under}"


def _over(growth: Growth) -> str:
    return f"the {growth.steps} steps" if growth.steps > 1 else "the step"


def _way_out(facts: Facts, found: NonFinite) -> str:
    if found.cause in GROWTH and facts.seen.input_sizes.get(facts.seen.root_of(found.module), 0.0) >= RAW:
        return "scale the inputs to mean 0 and deviation 1"
    if found.cause in GROWTH and (grown := facts.growth_before(found)) is not None:
        return "lower the learning rate" if grown.usual is None else f"clip the norm at {figure(2 * grown.usual, 2)}"
    first = remedies_for(facts, found)[0]
    return first.do.partition("  # ")[0]


def _steps_before(facts: Facts, site: int, first: int) -> list[Step]:
    steps = facts.all_sites[site].steps if site in facts.all_sites else ()
    return [step for step in steps if step.step < first]
