"""How a finding reads: its place, and the figures that it rests on with their units."""

from __future__ import annotations

from collections.abc import Mapping

from gradreach.facts.wording import figure, percent
from gradreach.record.kinds import numbered
from gradreach.record.schema import Finding
from gradreach.rules.registry import RULES
from gradreach.rules.rule import LABELS, UNITS

SHARES = ("share", "clip_rate", "saturated", "dead", "bias", "ratio_clipped")
"""Endings of the names of figures that are shares of a whole."""


def evidence(code: str, key: str, value: str | int | float | bool | None) -> str:
    """One figure of the evidence of a rule's finding, with its unit."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and key.endswith(SHARES):
        return percent(value)
    text = figure(value) if isinstance(value, float) else f"{value:,}"
    unit = RULES[code].unit(key) if code in RULES else UNITS.get(key, "")
    return f"{text} {unit}" if unit else text


def label(code: str, key: str) -> str:
    """The name of a figure of the evidence as words: `clip_rate` reads `clip rate`, `lambda` reads `λ`."""
    return RULES[code].label(key) if code in RULES else LABELS.get(key, key.replace("_", " ").strip())


def told(where: Mapping[str, str | int | float]) -> dict[str, str | int | float]:
    """What of a place needs saying: no direction but reverse, no layer of a cell, which has only one."""
    layered = "kind" not in where or numbered(str(where["kind"]))
    silent = {"direction": where.get("direction") == "forward", "layer": not layered}
    return {key: value for key, value in where.items() if value != "" and not silent.get(key)}


def place(where: Mapping[str, str | int | float]) -> str:
    """Where a finding stands: "`rnn` layer 0, reverse, step 121"."""
    rest = told(where)
    module = rest.pop("module", None)
    head = f"`{module}`" if module not in (None, "") else ""
    layer = rest.pop("layer", None)
    if layer is not None:
        head = f"{head} layer {layer}".strip()
    bare = ("direction", "kind", "site", "phase")
    parts = [str(value) if key in bare else f"{key.replace('_', ' ')} {value}" for key, value in rest.items()]
    return ", ".join([head, *parts] if head else parts)


def of_finding(finding: Finding) -> str:
    """Where a finding stands, or that it concerns the whole run."""
    return place(finding.where) or "the whole run"


def figures(finding: Finding) -> str:
    """The figures that a finding rests on, with their units, in one line."""
    there = {key: value for key, value in finding.evidence.items() if value is not None}
    return ", ".join(f"{label(finding.code, key)} {evidence(finding.code, key, value)}" for key, value in there.items())
