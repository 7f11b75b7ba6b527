"""The course of a run that several rules ask about: where it broke, whether the loss fell, whether the norm blew up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from gradreach.facts.legacy_thresholds import Thresholds
from gradreach.facts.statistics import is_finite, known, median, positive, spread
from gradreach.record.schema import Look, NonFinite, Probe, Record, Step, TimeLook

MIN_LOOKS = 3
"""Looks below which a layer is not judged: one look may fall on an odd batch, and two cannot outvote it."""

SMALL_FALL = 0.05
"""Part of its first value by which a loss must fall to count as learning; chance alone passes it seldom."""

PASSES = 200
"""Backward passes below which a loss is not said to have stopped falling: it may not have begun to."""

Seen = TypeVar("Seen", TimeLook, Probe, TimeLook | Probe)


@dataclass(frozen=True, slots=True)
class BlowUp:
    """The norm at one place grew from `before` to `peak` at `step`, and the loss went with it or became non-finite."""

    site: int
    step: int
    before: float
    peak: float
    loss_before: float | None
    loss_after: float | None
    ends_nonfinite: bool


def steps_at(record: Record, site: int) -> list[Step]:
    """The backward passes that one line of the script called."""
    return [step for step in record.steps if step.site == site]


def active_sites(record: Record) -> list[int]:
    """The lines of the script that called backward, in the order of their first call."""
    return list(dict.fromkeys(step.site for step in record.steps))


def site_name(record: Record, site: int) -> str:
    """`file:line` of a place that calls backward; empty where it is not known."""
    return record.sites[site] if 0 <= site < len(record.sites) else ""


def root_of(record: Record, path: str) -> str:
    """The root module that a dotted path belongs to: the longest registered name that it starts with."""
    return _root(tuple(record.models), path)


@lru_cache(maxsize=4096)
def _root(roots: tuple[str, ...], path: str) -> str:
    fitting = [name for name in roots if path == name or path.startswith(f"{name}.")]
    return max(fitting, key=len, default=path.split(".", 1)[0])


def first_break(record: Record) -> int | None:
    """The first step with a NaN or an infinity that neither a loss scaler nor a guard took care of."""
    handled = {found.step for found in record.nonfinite if found.scaled_away} | kept_out(record)
    broken = [found.step for found in record.nonfinite if found.step not in handled]
    broken += [step.step for step in record.not_finite if step.step not in handled and step.broken]
    return min(broken, default=None)


def kept_out(record: Record) -> frozenset[int]:
    """The steps that a guard took no update from: whatever was wrong with them did not reach the weights."""
    return record.guarded.steps("skipped") if record.guarded is not None else frozenset()


def origin(record: Record) -> NonFinite | None:
    """The non-finite value that came first, as its replay found it; one that a guard kept out is none."""
    out = kept_out(record)
    real = [found for found in record.nonfinite if not found.scaled_away and found.step not in out]
    return min(real, key=lambda found: found.step, default=None)


def sound_looks(record: Record) -> list[Look]:
    """The looks before anything broke: after it the figures describe the damage, not the cause."""
    end = first_break(record)
    return [look for look in record.looks if end is None or look.step < end]


def usual_length(looks: Sequence[Seen]) -> list[Seen]:
    """The looks at sequences of the usual length or longer: a short last batch does not speak for its layer."""
    usual = median([float(seen.T) for seen in looks])
    return [seen for seen in looks if usual <= seen.T]


def rate_to_horizon(seen: TimeLook) -> float | None:
    """The mean factor a step by which r fell from 1 to its first value under 1 %: r(n) ^ (1/n), n = horizon + 1.

    None where the horizon is the whole sequence, or r is 0 past it.
    """
    n = seen.horizon + 1
    past = seen.reach[n] if 0 < n < len(seen.reach) else None
    return past ** (1 / n) if is_finite(past) and past > 0 else None


def sound_losses(record: Record, site: int) -> list[float]:
    """The finite losses of one place before anything broke."""
    end = first_break(record)
    return known(step.loss for step in steps_at(record, site) if end is None or step.step < end)


def stalled(record: Record, site: int) -> bool:
    """Whether the loss certainly did not fall: even with its noise on its side the fall stays under SMALL_FALL.

    False where this cannot be told: under 20 losses, or places that take turns (adversaries' losses need not fall).
    """
    losses = sound_losses(record, site)
    if len(losses) < 20 or takes_turns(record, site):
        return False
    fifth = max(len(losses) // 5, 4)
    first, last = losses[:fifth], losses[-fifth:]
    noise = 1.2533 * math.hypot(spread(first), spread(last)) / math.sqrt(fifth)  # standard error of two medians
    return median(first) - median(last) + 2 * noise < SMALL_FALL * abs(median(first))


def at_rest(record: Record, site: int) -> tuple[float, float] | None:
    """The medians of the loss in the quarter before the middle of the run and in its last, where it no longer falls.

    None where it falls by more than the noise of these two, or where this cannot be told: under PASSES backward passes
    or 20 losses, or places that take turns.
    """
    losses, steps = sound_losses(record, site), steps_at(record, site)
    quarter = len(losses) // 4
    if quarter < 5 or steps[-1].step - steps[0].step + 1 < PASSES or takes_turns(record, site):
        return None
    middle = len(losses) // 2
    before, last = losses[middle - quarter : middle], losses[-quarter:]
    noise = 1.2533 * math.hypot(spread(before), spread(last)) / math.sqrt(quarter)  # standard error of two medians
    return (median(before), median(last)) if median(before) - median(last) <= 2 * noise else None


def worse_than_at_first(record: Record, site: int) -> bool:
    """Whether the loss ends above its first value, by more than its noise; False for places that take turns."""
    losses = sound_losses(record, site)
    if len(losses) < 10 or takes_turns(record, site):
        return False
    first, end = losses[0], losses[-max(len(losses) // 5, 3) :]
    return median(end) > first + SMALL_FALL * abs(first) + 2 * spread(end)


def takes_turns(record: Record, site: int) -> bool:
    """Whether another place calls backward between this one's first and last call."""
    at = [step.step for step in record.steps if step.site == site]
    return bool(at) and any(step.site != site and at[0] < step.step < at[-1] for step in record.steps)


def blow_up(record: Record, thresholds: Thresholds) -> BlowUp | None:
    """The first place whose norm grew far over its ordinary size while the loss diverged or broke."""
    found = (_blow_up_at(record, site, thresholds) for site in active_sites(record))
    return next((each for each in found if each is not None), None)


def _blow_up_at(record: Record, site: int, thresholds: Thresholds) -> BlowUp | None:
    end = first_break(record)
    steps = [step for step in steps_at(record, site) if end is None or step.step <= end]
    measured = [(step.step, norm) for step in steps if is_finite(norm := step.unclipped) and norm > 0]
    if len(measured) < 2:
        return None
    before = _ordinary([norm for _, norm in measured])
    at, peak = max(measured, key=lambda pair: pair[1])
    broke = end is not None and any(step.step == end for step in steps) and _by_growth(record)
    losses = known(step.loss for step in steps)
    start, last = _ends(losses)
    diverged = start is not None and last is not None and last - start > (thresholds.diverged - 1) * abs(start) > 0
    late = 2 * at >= measured[0][0] + measured[-1][0]
    if peak < thresholds.blow_up * before or not late or not (broke or diverged):
        return None
    return BlowUp(site, at, before, peak, start, last, broke)


def _by_growth(record: Record) -> bool:
    """Whether the first non-finite value may come from growth: not from the data."""
    found = origin(record)
    return found is None or found.phase != "input"


def _ordinary(norms: Sequence[float]) -> float:
    """The norm's size before the end: the median of the first half, of a few steps the first alone."""
    return median(norms[: max(len(norms) // 2, 1)]) if len(norms) >= 6 else norms[0]


def _ends(losses: Sequence[float]) -> tuple[float | None, float | None]:
    if len(losses) < 2:
        return None, None
    few = min(3, len(losses) // 2)
    return median(losses[:few]), median(losses[-few:])


def update_ratio(looks: Sequence[Look]) -> float | None:
    """The median of ‖Δw‖ / ‖w‖ over all modules and looks; None where no update was seen."""
    ratios = positive(module.update_ratio for look in looks for module in look.depth)
    return median(ratios) if ratios else None
