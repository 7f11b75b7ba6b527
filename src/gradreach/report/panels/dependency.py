"""The panel of what the data asks for: every test of what the error depends on, and every probe without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.dependency import LagResult
from gradreach.facts.facts import Facts
from gradreach.record.seen.recurrence import Probe
from gradreach.report import dependency_text
from gradreach.report.charts.figures import Figure, present
from gradreach.report.charts.reach import reach_figure
from gradreach.report.conclusions import Conclusions
from gradreach.report.key_figure import key_figure
from gradreach.report.panels.panel import Data, Limits, Panel


@dataclass(frozen=True, slots=True)
class DependencyView:
    """What one module's errors were asked, and the answers; of a model without a recurrence the reach as well."""

    name: str
    site: str
    question: str
    answers: tuple[str, ...]
    lags: tuple[LagResult, ...]
    figures: tuple[Figure, ...]


def _data(conclusions: Conclusions, limits: Limits) -> Data | None:
    key = key_figure(conclusions)
    views = _views(conclusions.facts, limits, key.place if key is not None and key.kind == "probe" else None)
    return {"views": views[: limits.layers]} if views else None


def _views(facts: Facts, limits: Limits, key: int | None) -> list[DependencyView]:
    """A view of each test and of each other probe; the probe at place `key` is drawn under the verdict."""
    probes = {
        (look.site, probe.module): (look.step, None if n == key else probe)
        for n, (look, probe) in enumerate(facts.seen.probes_shown)
    }
    views = []
    for test in facts.dependency_tests:
        found, lags = test.dependency, test.lags[: limits.lags]
        drawn = _probed(*probes.pop((found.site, found.module), (0, None)), test.lags)
        said = dependency_text.question(test), dependency_text.answers(test)
        views.append(DependencyView(dependency_text.name(test), facts.site_name(found.site), *said, lags, drawn))
    for (site, module), (step, probe) in probes.items():
        title = f"`{module}`" if module else "the model"
        views.append(DependencyView(title, facts.site_name(site), "", (), (), _probed(step, probe, ())))
    return views


def _probed(step: int, probe: Probe | None, lags: Sequence[LagResult]) -> tuple[Figure, ...]:
    return present(reach_figure(probe, step, asked=lags)) if probe is not None else ()


PANEL = Panel("dependency", 70, _data, "Data", "data")
