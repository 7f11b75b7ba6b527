"""Recurrent layers over a run: their looks through time, and which of them a report shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from gradreach.facts.statistics import is_finite, is_positive, known, median
from gradreach.facts.thresholds import Threshold
from gradreach.record.look import Look
from gradreach.record.seen.recurrence import ChunkSeam, DetachedState, Probe, SteppedState, TimeLook

FAR_SHARE = Threshold(
    "far_share", 0.5, 0.01, 1.0, "part of the sequence that the gradient must reach back over to be in order"
)
FAR_GROWTH = Threshold(
    "far_growth", 100.0, 1.0, math.inf, "r at a far lag from which what comes from there drowns the near gradient"
)

MIN_LOOKS = 3
"""Looks below which a layer is not judged: one look may fall on an odd batch, and two cannot outvote it."""

FEWEST_CALLS = 3
"""Calls of a module in one step that make a sequence."""

SomeLook = TypeVar("SomeLook", TimeLook, Probe, TimeLook | Probe)
SomeState = TypeVar("SomeState", DetachedState, SteppedState)


class LayerKey(NamedTuple):
    """One direction of one recurrent layer, as seen from one line that calls backward."""

    site: int
    module: str
    layer: int
    direction: str


class Shown(NamedTuple):
    """One look at a recurrent layer that a report shows, and the watched step that it belongs to.

    `first` is the same layer when it was first seen, where that was on an earlier step and its reach was finite.
    """

    look: Look
    layer: TimeLook
    first: TimeLook | None = None


def layers_of(looks: Sequence[Look]) -> dict[LayerKey, list[Shown]]:
    """The looks at each layer and direction, in order of time."""
    layers: dict[LayerKey, list[Shown]] = {}
    for look in looks:
        for seen in look.time:
            key = LayerKey(look.site, seen.module, seen.layer, seen.direction)
            layers.setdefault(key, []).append(Shown(look, seen))
    return layers


def cut_states(looks: Sequence[Look]) -> tuple[tuple[list[Look], DetachedState], ...]:
    """The modules that were called three times or more a step and whose state came back without its history at every
    hand-over, in MIN_LOOKS looks and in all that saw them; each with these looks and as the last of them has it."""
    seen = [(look, state) for look in looks for state in look.detached_states]
    return _always(seen, lambda state: state.calls >= FEWEST_CALLS and state.cut == state.calls - 1)


def uncarried_states(looks: Sequence[Look]) -> tuple[tuple[list[Look], SteppedState], ...]:
    """The modules each of whose steps began from the same state, in MIN_LOOKS looks and in all that saw them; each with
    these looks and as the last of them has it."""
    seen = [(look, state) for look in looks for state in look.stepped_states]
    return _always(seen, lambda state: state.same == state.calls - 1)


def single_steps(looks: Sequence[Look]) -> dict[str, list[Look]]:
    """The recurrent modules that got a single step in each look at them, MIN_LOOKS or more, from a state of zeros: it
    leaves their recurrent weights a gradient of exactly 0."""
    modules: dict[str, list[Look]] = {}
    others: set[str] = set()
    for look in looks:
        zero = {name for group in look.zero_gradient for name in group.parameters}
        for module in dict.fromkeys(seen.module for seen in look.time):
            start = f"{module}.weight_hh" if module else "weight_hh"
            is_single = all(seen.T == 1 for seen in look.time if seen.module == module)
            if is_single and any(name.startswith(start) for name in zero):
                modules.setdefault(module, []).append(look)
            else:
                others.add(module)
    return {name: seen for name, seen in modules.items() if name not in others and len(seen) >= MIN_LOOKS}


def chunk_seams(looks: Sequence[Look]) -> tuple[tuple[list[Look], list[ChunkSeam]], ...]:
    """By the line and the recurrent layer: the looks that held its chunk against the one before, MIN_LOOKS or more."""
    layers: dict[tuple[int, str], list[tuple[Look, ChunkSeam]]] = {}
    for look in looks:
        if look.chunk_seam is not None:
            layers.setdefault((look.site, look.chunk_seam.module), []).append((look, look.chunk_seam))
    return tuple(
        ([look for look, _ in seen], [seam for _, seam in seen]) for seen in layers.values() if len(seen) >= MIN_LOOKS
    )


def _always(
    seen: Sequence[tuple[Look, SomeState]], is_so: Callable[[SomeState], bool]
) -> tuple[tuple[list[Look], SomeState], ...]:
    """By module: the looks at it and what the last of them saw, where MIN_LOOKS or more saw it and it was always so."""
    modules: dict[str, list[tuple[Look, SomeState]]] = {}
    for look, state in seen:
        modules.setdefault(state.module, []).append((look, state))
    return tuple(
        ([look for look, _ in states], states[-1][1])
        for states in modules.values()
        if len(states) >= MIN_LOOKS and all(is_so(state) for _, state in states)
    )


def usual_length(looks: Sequence[SomeLook]) -> list[SomeLook]:
    """The looks at sequences of the usual length or longer: a short last batch does not speak for its layer."""
    usual = median([float(seen.T) for seen in looks])
    return [seen for seen in looks if usual <= seen.T]


def typical(looks: Sequence[SomeLook]) -> SomeLook:
    """Of the last MIN_LOOKS looks at the usual length the one of middling horizon, of several the latest.

    It is what a report shows of a layer, and what the rules go by: one odd batch does not speak for it. Raises
    ValueError where there is no look.
    """
    last = usual_length(looks)[-MIN_LOOKS:]
    middle = sorted(seen.horizon for seen in last)[len(last) // 2]
    return next(seen for seen in reversed(last) if seen.horizon == middle)


def shown_of(looks: Sequence[Shown], ever: Sequence[Shown]) -> Shown:
    """Of one layer's sound looks the typical one of those whose reach is finite; where none is finite, of all.

    `ever` are all looks at the layer, among which the first one is found.
    """
    finite = [shown for shown in looks if has_finite_reach(shown.layer)] or list(looks)
    speaks = typical([shown.layer for shown in finite])
    shown = next(shown for shown in reversed(finite) if shown.layer is speaks)
    earlier = (each.layer for each in ever if each.look.step < shown.look.step)
    return shown._replace(first=next((layer for layer in earlier if known(layer.reach)), None))


def has_finite_reach(seen: TimeLook) -> bool:
    """Whether every value of the reach curve that was measured is finite."""
    return bool(seen.reach) and all(r is None or is_finite(r) for r in seen.reach)


def share_reached(seen: TimeLook) -> float:
    """The part of the steps that carry an error, or come before one that does, that a layer's gradient reaches over."""
    return (seen.horizon + 1) / (seen.farthest + 1)


def past_gaps(seen: TimeLook) -> str:
    """The first lag under 1 % and the farthest one over it, after the horizon in a sentence; empty where r, once under
    1 %, stays there."""
    if seen.farthest_reached <= seen.horizon:
        return ""
    return f", under 1 % first at lag {seen.horizon + 1} and last over it at lag {seen.farthest_reached}"


def rate_to_horizon(seen: TimeLook) -> float | None:
    """The mean factor a step by which r fell from 1 to its first value under 1 %: r(n) ^ (1/n), n = horizon + 1.

    It is None where the horizon is the whole sequence, and where r is 0 past it.
    """
    n = seen.horizon + 1
    past = seen.reach[n] if 0 < n < len(seen.reach) else None
    return past ** (1 / n) if is_positive(past) else None
