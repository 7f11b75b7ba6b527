"""The panel of the gradient's way through depth: curves, and the module tree with its findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.depth import DepthShown
from gradreach.record.schema import Finding
from gradreach.record.seen.depth import DepthLook
from gradreach.report.charts.along_depth import ROWS, depth_figures
from gradreach.report.charts.figures import Figure
from gradreach.report.charts.module_tree import Node, bar, tree
from gradreach.report.conclusions import Conclusions
from gradreach.report.grouped_findings import grouped
from gradreach.report.panels.panel import Data, Limits, Panel


@dataclass(frozen=True, slots=True)
class DepthView:
    """The modules that one site's backward pass went through, on the watched step `step`."""

    site: str
    step: int
    looks: tuple[DepthLook, ...]
    figures: tuple[Figure, ...]
    tree: Node

    @property
    def has_bars(self) -> bool:
        """Whether the tree shows the range of each part's gradient: where no row of a figure shows it already."""
        return len(self.looks) > ROWS or not self.figures

    @property
    def tops(self) -> tuple[Node, ...]:
        """Where the drawn tree begins: at the root where that is a module or was found fault with, else below it."""
        root = self.tree
        return (root,) if root.kind or root.findings or root.hidden or not root.children else root.children


def _data(conclusions: Conclusions, limits: Limits) -> Data | None:
    facts = conclusions.facts
    if not facts.seen.depth_shown:
        return None
    groups = grouped(conclusions.findings)[: limits.findings]
    placed = [(number, finding) for number, group in enumerate(groups) for finding in group.findings]
    findings = [finding for _, finding in placed]
    return {
        "views": [_view(facts.site_name(s.look.site), s, findings) for s in facts.seen.depth_shown[: limits.sites]],
        "findings": findings,
        "groups_of": [number for number, _ in placed],
        "bar": bar,
        "modules": limits.modules,
    }


def _view(site: str, shown: DepthShown, findings: Sequence[Finding]) -> DepthView:
    """One line that calls backward; the places of `findings` in the tree are those in this list."""
    looks, step = shown.modules, shown.look.step
    return DepthView(site, step, looks, depth_figures(looks, step), tree(looks, findings))


PANEL = Panel("through_depth", 60, _data, "Depth", "depth")
