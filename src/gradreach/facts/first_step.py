"""Recurrent layers that the loss reads after their first step alone, for all that they ran over more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gradreach.facts.time import MIN_LOOKS
from gradreach.record.kinds import LOOPS, numbered
from gradreach.record.look import Look
from gradreach.record.seen.recurrence import Direction, TimeLook


class OneDirection(NamedTuple):
    """One direction of one recurrent layer, whatever line calls backward."""

    module: str
    layer: int
    direction: Direction

    @staticmethod
    def of(seen: TimeLook) -> OneDirection:
        """The place that a look is of."""
        return OneDirection(seen.module, seen.layer, seen.direction)


@dataclass(frozen=True, slots=True)
class FirstStepRead:
    """A recurrent module whose topmost layer the loss reads after one step, in these `directions` of it.

    `is_double` says that it runs in both. `is_whole` says that no layer and direction of the module is read later:
    nothing of its other steps counts. `looks` are those that saw it, and `seen` is the first of the directions in the
    last of them.
    """

    seen: TimeLook
    directions: tuple[Direction, ...]
    is_double: bool
    is_whole: bool
    looks: tuple[Look, ...]


def read_first(looks: Sequence[Look]) -> dict[OneDirection, tuple[Look, ...]]:
    """The layers to which errors come at their first step and at no other, of more than one, in MIN_LOOKS looks and in
    every look in which any comes; each with these looks."""
    found: dict[OneDirection, list[Look]] = {}
    others: set[OneDirection] = set()
    for look in looks:
        for seen in look.time:
            if seen.T < 2 or seen.kind in LOOPS or not any(seen.local_error):
                continue
            at = found.setdefault(OneDirection.of(seen), [])
            if not _is_at_first(seen):
                others.add(OneDirection.of(seen))
            elif not at or at[-1] is not look:
                at.append(look)
    sure = {place: tuple(at) for place, at in found.items() if len(at) >= MIN_LOOKS}
    return {place: at for place, at in sure.items() if place not in others}


def first_step_reads(
    looks: Sequence[Look], first: Mapping[OneDirection, tuple[Look, ...]]
) -> tuple[FirstStepRead, ...]:
    """The modules whose topmost layer is read so, in the order in which they run."""
    places: dict[OneDirection, bool] = {}
    for seen in (each for look in looks for each in look.time if each.T > 1):
        places[OneDirection.of(seen)] = places.get(OneDirection.of(seen), False) or any(seen.local_error)
    found: list[FirstStepRead] = []
    for module in dict.fromkeys(place.module for place in places):
        own = {place: is_read for place, is_read in places.items() if place.module == module}
        top = max(place.layer for place in own)
        read = [place for place in own if place.layer == top and place in first]
        if read:
            at = first[read[0]]
            seen = next(each for each in at[-1].time if OneDirection.of(each) == read[0])
            directions = tuple(place.direction for place in read)
            is_double = len({place.direction for place in own}) > 1
            is_whole = all(place in first for place, is_read in own.items() if is_read)
            found.append(FirstStepRead(seen, directions, is_double, is_whole, at))
    return tuple(found)


def recurrent_weight(seen: TimeLook) -> str:
    """The full name of W_hh of one direction of one layer."""
    name = "weight_hh"
    if numbered(seen.kind):
        name += f"_l{seen.layer}" + ("_reverse" if seen.direction == "reverse" else "")
    return f"{seen.module}.{name}" if seen.module else name


def _is_at_first(seen: TimeLook) -> bool:
    """Whether errors come to the first step in the direction of the recurrence, and to no other."""
    first = 0 if seen.direction == "forward" else len(seen.local_error) - 1
    return all((size > 0.0) == (t == first) for t, size in enumerate(seen.local_error))
