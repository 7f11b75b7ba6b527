"""Which one figure shows what the verdict says, and that figure as it stands under the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gradreach.facts.facts import Facts
from gradreach.facts.modules import of_one_stack
from gradreach.facts.statistics import known
from gradreach.facts.time import share_reached
from gradreach.record.schema import Finding
from gradreach.report.asked_lags import asked_of
from gradreach.report.charts.along_depth import overview
from gradreach.report.charts.figures import Figure
from gradreach.report.charts.norm import loss_figure, norm_figure
from gradreach.report.charts.reach import reach_figure
from gradreach.report.conclusions import Conclusions
from gradreach.rules.registry import RULES

Kind = Literal["reach", "probe", "depth", "norm", "loss"]

SIZE = (520, 210)
"""Width and height of the figure, in pixels."""

_BY_FAMILY: dict[str, tuple[Kind, ...]] = {
    "time": ("reach", "norm", "loss"),
    "depth": ("depth", "norm", "loss"),
    "step": ("norm", "loss"),
}
_BY_CODE: dict[str, tuple[Kind, ...]] = {
    **dict.fromkeys(("GR401", "GR402", "GR403"), ("reach", "probe", "loss", "norm")),
    **dict.fromkeys(("GR306", "GR307"), ("depth", "loss", "norm")),
    **dict.fromkeys(
        (
            "GR205",
            "GR206",
            "GR305",
            "GR308",
            "GR309",
            "GR310",
            "GR312",
            "GR313",
            "GR314",
            "GR315",
            "GR316",
            "GR317",
            "GR318",
            "GR319",
            "GR320",
        ),
        ("loss", "norm"),
    ),
}
"""Where another figure than that of the rule's family shows what it found."""

_ELSE: tuple[Kind, ...] = ("loss", "norm")


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A kind of figure, and its place among those of the kind that a report shows."""

    kind: Kind
    place: int = 0


def serious(conclusions: Conclusions) -> Finding | None:
    """The finding that the verdict is about; None where it is about the course of the loss."""
    return next((finding for finding in conclusions.findings if finding.severity != "info"), None)


def key_figure(conclusions: Conclusions) -> KeyFigure | None:
    """The figure that shows the verdict; None where the run has none."""
    facts, finding = conclusions.facts, serious(conclusions)
    for kind in _wanted(finding):
        place = _place(facts, kind, finding)
        if place is not None:
            return KeyFigure(kind, place)
    return None


def drawn(conclusions: Conclusions, key: KeyFigure) -> Figure | None:
    """The figure, half as wide as the page."""
    facts = conclusions.facts
    if key.kind == "reach":
        shown = facts.seen.time_shown[key.place]
        return reach_figure(shown.layer, shown.look.step, shown.first, asked_of(facts, shown), SIZE)
    if key.kind == "probe":
        look, probe = facts.seen.probes_shown[key.place]
        tests = (
            t.lags
            for t in facts.dependency_tests
            if (t.dependency.site, t.dependency.module) == (look.site, probe.module)
        )
        return reach_figure(probe, look.step, asked=next(tests, ()), size=SIZE)
    if key.kind == "depth":
        look, modules = facts.seen.depth_shown[key.place]
        return overview(modules, look.step, *SIZE)
    return norm_figure(facts, *SIZE) if key.kind == "norm" else loss_figure(facts, *SIZE)


def _wanted(finding: Finding | None) -> tuple[Kind, ...]:
    if finding is None:
        return _ELSE
    rule = RULES.get(finding.code)
    return _BY_CODE.get(finding.code) or _BY_FAMILY.get(rule.family if rule is not None else "", _ELSE)


def _place(facts: Facts, kind: Kind, finding: Finding | None) -> int | None:
    """Which figure of a kind it is; None where there is nothing to draw."""
    where = finding.where if finding is not None else {}
    if kind == "reach":
        return _layer(facts, where)
    if kind == "probe":
        return next((n for n, (_, probe) in enumerate(facts.seen.probes_shown) if known(probe.reach)), None)
    if kind == "depth":
        sites = [facts.site_name(shown.look.site) == where.get("site") for shown in facts.seen.depth_shown]
        place = sites.index(True) if True in sites else 0
        there = facts.seen.depth_shown[place].modules if sites else ()
        return (
            place if len(known(seen.grad_rms for seen in there)) > 1 and any(seen.grad_rms for seen in there) else None
        )
    values = facts.norms if kind == "norm" else [step.loss for step in facts.steps]
    return 0 if known(values) else None


def _layer(facts: Facts, where: dict[str, str | int | float]) -> int | None:
    """The recurrent layer that a finding names; of several the one whose gradient gets through the smallest part."""
    shown = {n: each.layer for n, each in enumerate(facts.seen.time_shown) if known(each.layer.reach)}
    exact = [
        n
        for n, seen in shown.items()
        if (seen.module, seen.layer, seen.direction)
        == tuple(where.get(key) for key in ("module", "layer", "direction"))
    ]
    stack = [n for n, seen in shown.items() if of_one_stack(str(where.get("module", "")), seen.module)]
    return min(exact or stack or shown, key=lambda n: share_reached(shown[n]), default=None)
