"""What the rules on recurrent layers share."""

from __future__ import annotations

import math

from gradreach.facts.facts import Facts
from gradreach.facts.statistics import known, most
from gradreach.facts.time import FAR_SHARE, LayerKey, typical
from gradreach.record.kinds import DECAYS, LOOPS, SCAN
from gradreach.record.seen.recurrence import HORIZON_LIMIT, TimeLook
from gradreach.rules.rule import Where

SHORTEST = 10
"""Sequences of fewer steps are too short for a horizon to mean anything."""


SHORTCUT = 0.05
"""Share of the far lags, FEWEST_FAR at least, that a shortcut of the state brings back."""

FEWEST_FAR = 2


def long_enough(facts: Facts) -> dict[LayerKey, list[TimeLook]]:
    """Each direction of each recurrent layer, by its looks at sequences that are long enough to be judged."""
    layers = {
        key: [seen for seen in looks if seen.farthest + 1 >= SHORTEST and known(seen.reach[1:])]
        for key, looks in facts.seen.layers.items()
    }
    return {key: looks for key, looks in layers.items() if looks}


def fading(facts: Facts) -> dict[LayerKey, list[TimeLook]]:
    """Those whose gradient fades in most of their looks."""
    far_share = facts.thresholds[FAR_SHARE]
    return {
        key: looks
        for key, looks in long_enough(facts).items()
        if not facts.seen.is_cut(key.module)
        and _fades(typical(looks), far_share)
        and most([_fades(seen, far_share) for seen in looks])
    }


def _fades(seen: TimeLook, far_share: float) -> bool:
    """Whether the curve falls, and nothing of 1 % comes from that part of the sequence or farther.

    A shortcut of the state brings back what came in between: then the curve falls under the horizon's limit and rises
    above it again, at lag after lag. A single one that stands out brings nothing back.
    """
    if seen.horizon >= far_share * seen.farthest or (seen.factor or 0.0) >= 1.0:
        return False
    far = seen.reach[math.ceil(far_share * seen.farthest) :]
    return sum(r >= HORIZON_LIMIT for r in far) < max(FEWEST_FAR, SHORTCUT * len(far))


def where(facts: Facts, key: LayerKey, kind: str) -> Where:
    """The place of a finding on one direction of one recurrent layer."""
    return {
        "module": key.module,
        "kind": kind,
        "layer": key.layer,
        "direction": key.direction,
        "site": facts.site_name(key.site),
    }


def unwatched(facts: Facts, which: str) -> str:
    """Why no recurrent layer can be judged: there is none, or none `which` …"""
    return f"no recurrent layer {which if any(look.time for look in facts.record.looks) else 'was watched'}"


def which_loop(seen: TimeLook) -> str:
    """A sentence on a recurrence that no module shows, after a space: that it is a loop, and where it stands."""
    if seen.kind not in LOOPS:
        return ""
    place = f"in the forward of `{seen.module}`" if seen.module else "of the script's own"
    factor = "; a factor of its own multiplies each entry of the state" if seen.kind in DECAYS else ""
    form = "scan that computes" if seen.kind == SCAN else "loop over"
    return f" The recurrence is a {form} {seen.T} steps {place}, found in the graph{factor}."
