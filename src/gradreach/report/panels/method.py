"""The panel that says how the figures were measured, as far as the page shows them."""

from __future__ import annotations

from gradreach.report import run_text
from gradreach.report.conclusions import Conclusions
from gradreach.report.panels.panel import Data, Limits, Panel
from gradreach.report.panels.through_time import LAYERS

CUT = "This page was cut to 3 MB; the JSON report holds all of it."


def _data(conclusions: Conclusions, limits: Limits) -> Data:
    facts, record = conclusions.facts, conclusions.record
    drawn = [shown.layer for shown in facts.seen.time_shown[: min(LAYERS, limits.layers)]]
    return {
        "guard": run_text.of_guarded(record.guarded) if record.guarded else "",
        "overhead": record.overhead,
        "spent": run_text.of_overhead(record.overhead) if record.overhead else "",
        "command": " ".join([record.run.script, *record.run.argv]),
        "has_layers": bool(facts.seen.time_shown),
        "has_map": any(seen.log10_map for seen in drawn),
        "has_exponents": any(seen.lyapunov for seen in drawn),
        "has_dependency": bool(facts.dependency_tests or facts.seen.probes_shown),
        "has_depth": bool(facts.seen.depth_shown),
        "notes": record.notes if limits == Limits() else (*record.notes, CUT),
    }


PANEL = Panel("method", 90, _data, "Method", "method")
