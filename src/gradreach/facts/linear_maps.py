"""Linear maps in a row that every look of a line saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.seen.weights import LinearMaps


@dataclass(frozen=True, slots=True)
class MapsSeen:
    """One row of linear maps behind one line, and how many looks saw it."""

    site: int
    maps: LinearMaps
    looks: int


def linear_maps(looks: Sequence[Look]) -> tuple[MapsSeen, ...]:
    """The rows that stand so in each look at which their first layer ran, MIN_LOOKS at least."""
    found: list[MapsSeen] = []
    for site in dict.fromkeys(look.site for look in looks):
        here = [look for look in looks if look.site == site]
        for maps in dict.fromkeys(each for look in here for each in look.linear_maps):
            if len(maps.modules) < 2 or len(maps.sizes) != len(maps.modules) + 1:
                continue
            ran = [look for look in here if any(seen.module == maps.modules[0] for seen in look.depth)]
            seen = sum(maps in look.linear_maps for look in here)
            if seen >= MIN_LOOKS and all(maps in look.linear_maps for look in ran):
                found.append(MapsSeen(site, maps, seen))
    return tuple(found)
