"""What the page shows of the gradient's way through time: each recurrent layer, and what the data asks for there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.course import site_name
from gradreach.facts.legacy_dependency import Asked, LagVerdict, of_stack
from gradreach.record.kinds import of_layer
from gradreach.record.schema import Look, Probe, Record, TimeLook
from gradreach.report import dependency_text as asked
from gradreach.report.charts import figures
from gradreach.report.charts.figures import Figure
from gradreach.report.charts.heat import heat
from gradreach.report.charts.reach import first_seen, reach_figure
from gradreach.report.charts.spectrum import spectrum_figure
from gradreach.report.json_report import probes_shown, time_shown

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


@dataclass(frozen=True, slots=True)
class AskedView:
    """What one module's errors were asked, and the answers; of a model without a recurrence the reach as well."""

    name: str
    site: str
    question: str
    answers: tuple[str, ...]
    lags: tuple[LagVerdict, ...]
    figures: tuple[Figure, ...]


def asked_of(record: Record, tests: Sequence[Asked]) -> list[AskedView]:
    """Every test, and every probe that no test goes with."""
    probes = {(look.site, seen.module): seen for look, seen in probes_shown(record)}
    views = []
    for each in tests:
        found = each.dependency
        drawn = _probed(probes.pop((found.site, found.module), None), each.lags)
        said = asked.question(each), asked.answers(each)
        views.append(AskedView(asked.name(each), site_name(record, found.site), *said, each.lags, drawn))
    for (site, module), probe in probes.items():
        title = f"`{module}`" if module else "the model"
        views.append(AskedView(title, site_name(record, site), "", (), (), _probed(probe, ())))
    return views


def _probed(probe: Probe | None, lags: Sequence[LagVerdict]) -> tuple[Figure, ...]:
    return present(reach_figure(probe, asked=lags)) if probe is not None else ()


def _needed(tests: Sequence[Asked], look: Look, seen: TimeLook) -> tuple[LagVerdict, ...]:
    """What the error depends on at the place of a layer whose gradient goes to earlier inputs."""
    here = [each for each in tests if each.dependency.site == look.site and seen.direction == "forward"]
    return next((each.depends for each in here if of_stack(each.dependency.module, seen.module)), ())


def layers(record: Record, tests: Sequence[Asked]) -> list[LayerView]:
    """The layers whose curves are drawn."""
    views = []
    for look, seen in time_shown(record)[:LAYERS]:
        drawn = present(
            reach_figure(seen, first_seen(record, (look, seen)), _needed(tests, look, seen)),
            figures.adjoint_figure(seen),
            figures.truncation_figure(seen),
        )
        beside = present(map_figure(seen), spectrum_figure(seen))
        views.append(LayerView(of_layer(seen), look, seen, drawn, beside))
    return views


def map_figure(seen: TimeLook) -> Figure | None:
    """The reach map R[t, k] as a heat map; None where the look has none."""
    drawn = heat(f"Reach map of {of_layer(seen)}", seen.log10_map, seen.map_rows, seen.map_columns)
    if not drawn:
        return None
    rows = seen.map_rows
    shown = f"the only error, at step {rows[0]:,}" if len(rows) == 1 else f"the errors at {len(rows)} steps t"
    return Figure(drawn, f"Reach map R[t, k]: how much of the error at step t arrives at step k; here {shown}.")


def present(*drawn: Figure | None) -> tuple[Figure, ...]:
    """Those figures for which there was something to draw."""
    return tuple(figure for figure in drawn if figure is not None)
