"""The panel of the gradient's way through time: every recurrent layer in a table, the first ones with their curves."""

from __future__ import annotations

from dataclasses import dataclass

from gradreach.facts.facts import Facts
from gradreach.facts.statistics import known
from gradreach.facts.time import Shown
from gradreach.record.kinds import of_layer
from gradreach.record.look import Look
from gradreach.record.seen.recurrence import TimeLook
from gradreach.report.asked_lags import asked_of
from gradreach.report.charts.figures import Figure, adjoint_figure, present, truncation_figure
from gradreach.report.charts.heat import map_figure
from gradreach.report.charts.reach import only_error, reach_figure
from gradreach.report.charts.spectrum import spectrum_figure
from gradreach.report.conclusions import Conclusions
from gradreach.report.key_figure import key_figure
from gradreach.report.panels.panel import Data, Limits, Panel

LAYERS = 8
"""Layers whose curves a page draws; the JSON report holds all of them."""


@dataclass(frozen=True, slots=True)
class LayerView:
    """One direction of one recurrent layer as the page shows it: its curves, and its map and spectrum. Its reach curve
    stands under the verdict where it `is_key`; where one step alone carries an error, it `repeats` adjoint and map."""

    name: str
    look: Look
    seen: TimeLook
    figures: tuple[Figure, ...]
    maps: tuple[Figure, ...]
    is_key: bool
    repeats: bool


def _data(conclusions: Conclusions, limits: Limits) -> Data | None:
    facts, shown = conclusions.facts, conclusions.facts.seen.time_shown
    if not shown:
        return None
    key = key_figure(conclusions)
    place = key.place if key is not None and key.kind == "reach" else None
    drawn = [_view(facts, each, n == place) for n, each in enumerate(shown[: min(LAYERS, limits.layers)])]
    table = shown[: limits.modules]
    return {"table": table, "count": len(table), "layers": drawn}


def _view(facts: Facts, shown: Shown, is_key: bool) -> LayerView:
    """One layer; what only repeats its reach curve is left out, and so is that where it stands under the verdict."""
    seen, step = shown.layer, shown.look.step
    reach = None if is_key else reach_figure(seen, step, shown.first, asked_of(facts, shown))
    repeats = only_error(seen) and bool(known(seen.reach))
    curves = present(reach, None if repeats else adjoint_figure(seen), truncation_figure(seen))
    maps = present(None if repeats else map_figure(seen), spectrum_figure(seen))
    return LayerView(of_layer(seen), shown.look, seen, curves, maps, is_key, repeats)


PANEL = Panel("through_time", 50, _data, "Time", "time")
