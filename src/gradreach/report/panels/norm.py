"""The panel of the gradient's norm and the loss, step by step, and by the line that calls backward.

A figure that stands under the verdict is not drawn again."""

from __future__ import annotations

from gradreach.report.charts.figures import present
from gradreach.report.charts.norm import loss_figure, norm_figure
from gradreach.report.conclusions import Conclusions
from gradreach.report.key_figure import key_figure
from gradreach.report.panels.panel import Data, Limits, Panel


def _data(conclusions: Conclusions, limits: Limits) -> Data | None:
    facts = conclusions.facts
    key = key_figure(conclusions)
    above = key.kind if key is not None else ""
    figures = present(None if above == "norm" else norm_figure(facts), None if above == "loss" else loss_figure(facts))
    sites = [site for _, site in sorted(facts.all_sites.items())]
    if not figures and above not in ("norm", "loss"):
        return None
    return {"figures": figures, "above": above if above in ("norm", "loss") else "", "sites": sites[: limits.sites]}


PANEL = Panel("norm", 40, _data, "Norm", "norm")
