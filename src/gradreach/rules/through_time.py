"""What the rules on recurrent layers share."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.time import LayerKey
from gradreach.record.kinds import DECAYS, LOOPS, SCAN
from gradreach.record.look import TimeLook
from gradreach.rules.rule import Where

SHORTEST = 10
"""Sequences of fewer steps are too short for a horizon to mean anything."""


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
