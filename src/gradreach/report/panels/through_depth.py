"""What the page shows of the gradient's way through depth: curves, and the module tree with its findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from gradreach.facts.course import site_name
from gradreach.record.schema import DepthLook, Finding, Record
from gradreach.report.charts import figures
from gradreach.report.charts.figures import Figure
from gradreach.report.charts.module_tree import Node, tree
from gradreach.report.json_report import depth_shown
from gradreach.report.panels.through_time import present


@dataclass(frozen=True, slots=True)
class DepthView:
    """The modules that one site's backward pass went through."""

    site: str
    looks: tuple[DepthLook, ...]
    figures: tuple[Figure, ...]
    tree: Node

    @property
    def tops(self) -> tuple[Node, ...]:
        """Where the drawn tree begins: at the root where that is a module or was found fault with, else below it."""
        root = self.tree
        return (root,) if root.kind or root.findings or root.hidden or not root.children else root.children


def depth(record: Record, findings: Sequence[Finding]) -> list[DepthView]:
    """One view for each line that calls backward; the places of `findings` in the tree are those in this list."""
    views = []
    for site, pairs in groupby(depth_shown(record), key=lambda pair: pair[0].site):
        looks = tuple(seen for _, seen in pairs)
        drawn = present(figures.gradient_figure(looks), figures.update_figure(looks))
        views.append(DepthView(site_name(record, site), looks, drawn, tree(looks, findings)))
    return views
