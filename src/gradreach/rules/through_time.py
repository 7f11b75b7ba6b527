"""What the rules on recurrent layers share."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.time import LayerKey
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
