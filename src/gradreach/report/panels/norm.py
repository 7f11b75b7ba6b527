"""The panel of the gradient's norm and the loss, step by step, and by the line that calls backward."""

from __future__ import annotations

from gradreach.report.charts.figures import present
from gradreach.report.charts.norm import loss_figure, norm_figure
from gradreach.report.conclusions import Conclusions
from gradreach.report.panels.panel import Data, Limits, Panel


def _data(conclusions: Conclusions, limits: Limits) -> Data | None:
    facts = conclusions.facts
    figures = present(norm_figure(facts), loss_figure(facts))
    sites = [site for _, site in sorted(facts.all_sites.items())]
    return {"figures": figures, "sites": sites[: limits.sites]} if figures else None


PANEL = Panel("norm", 40, _data, "Norm", "norm")
