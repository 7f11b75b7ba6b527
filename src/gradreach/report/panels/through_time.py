"""The panel of the gradient's way through time: every recurrent layer in a table, the first ones with their curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.dependency import DependencyTest, LagResult
from gradreach.facts.modules import of_one_stack
from gradreach.facts.time import Shown
from gradreach.record.kinds import of_layer
from gradreach.record.look import Look
from gradreach.record.seen.recurrence import TimeLook
from gradreach.report.charts.figures import Figure, adjoint_figure, present, truncation_figure
from gradreach.report.charts.heat import map_figure
from gradreach.report.charts.reach import reach_figure
from gradreach.report.charts.spectrum import spectrum_figure
from gradreach.report.conclusions import Conclusions
from gradreach.report.panels.panel import Data, Limits, Panel

LAYERS = 8
"""Layers whose curves a page draws; the JSON report holds all of them."""


@dataclass(frozen=True, slots=True)
class LayerView:
    """One direction of one recurrent layer as the page shows it: its curves, and its map and spectrum."""

    name: str
    look: Look
    seen: TimeLook
    figures: tuple[Figure, ...]
    maps: tuple[Figure, ...]


def _data(conclusions: Conclusions, limits: Limits) -> Data | None:
    shown, tests = conclusions.facts.time_shown, conclusions.facts.dependency_tests
    if not shown:
        return None
    drawn = [_view(each, _needed(tests, each)) for each in shown[: min(LAYERS, limits.layers)]]
    table = [each.layer for each in shown][: limits.modules]
    return {"table": table, "count": len(table), "layers": drawn}


def _view(shown: Shown, needed: Sequence[LagResult]) -> LayerView:
    seen = shown.layer
    curves = present(reach_figure(seen, shown.first, needed), adjoint_figure(seen), truncation_figure(seen))
    return LayerView(of_layer(seen), shown.look, seen, curves, present(map_figure(seen), spectrum_figure(seen)))


def _needed(tests: Sequence[DependencyTest], shown: Shown) -> tuple[LagResult, ...]:
    """What the error depends on at the place of a layer whose gradient goes to earlier inputs."""
    if shown.layer.direction != "forward":
        return ()
    here = [test for test in tests if test.dependency.site == shown.look.site]
    return next((test.depends for test in here if of_one_stack(test.dependency.module, shown.layer.module)), ())


PANEL = Panel("through_time", 50, _data, "Time", "time")
