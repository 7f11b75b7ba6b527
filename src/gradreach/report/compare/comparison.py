"""What changed between two runs: settings, findings, figures with their noise, curves, and one sentence on it all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gradreach.report.compare import matching as places
from gradreach.report.compare.by_look import of_depth, of_time
from gradreach.report.compare.by_step import of_runs, of_sites
from gradreach.report.compare.curve import Curve, curves
from gradreach.report.compare.matching import Matched
from gradreach.report.compare.measure import Measure, Part, common_part, corrected
from gradreach.report.compare.settings_changed import Setting, differences
from gradreach.report.report import Report

if TYPE_CHECKING:
    from gradreach.report.compare.comparison_verdict import Judgement


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side, A the earlier or the baseline; `names` are what they are called, `part` what is compared.

    Every interval holds for these two runs alone: one run a side says nothing about other seeds.
    """

    a: Report
    b: Report
    names: tuple[str, str]
    part: Part
    settings: tuple[Setting, ...]
    findings: tuple[Matched, ...]
    figures: tuple[Measure, ...]
    curves: tuple[Curve, ...]

    @cached_property
    def judgement(self) -> Judgement:
        """Better, worse or neither, in one sentence."""
        from gradreach.report.compare.comparison_verdict import judge

        return judge(self)

    @property
    def tested(self) -> int:
        """How many figures have an interval; their p are corrected for as many."""
        return sum(each.change is not None for each in self.figures)

    def as_dict(self) -> dict[str, Any]:
        """The fields, schema "gradreach-compare/1", every float finite or None."""
        from gradreach.report.compare.json_report import document

        return document(self)

    def to_json(self) -> str:
        """The fields as one line of JSON."""
        from gradreach.report.json_report import to_json

        return to_json(self.as_dict())

    def to_html(self) -> str:
        """The comparison as one HTML page that loads nothing from elsewhere."""
        from gradreach.report.compare.page import render

        return render(self)


def compare(a: Report, b: Report, names: tuple[str, str] = ("A", "B")) -> Comparison:
    """Set two reports side by side: what is in B that was not in A."""
    here, there = a.record, b.record
    pairs = places.sites(here, there)
    part = common_part(here, there)
    figures = [] if part.empty else [*of_sites(here, there, part, pairs), *of_runs(here, there, part)]
    figures += [*of_time(here, there, part, pairs), *of_depth(here, there, part, pairs)]
    return Comparison(
        a,
        b,
        names,
        part,
        differences(here, there),
        places.findings(a, b, pairs),
        corrected(figures),
        curves(here, there, part, pairs),
    )
