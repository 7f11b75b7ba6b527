"""What changed between two runs: settings, findings, figures with their noise, curves, and one sentence on it all."""

from __future__ import annotations

from dataclasses import dataclass

from gradreach.report.compare import matching
from gradreach.report.compare.by_look import of_depth, of_time
from gradreach.report.compare.by_step import of_runs, of_sites
from gradreach.report.compare.comparison_verdict import ComparisonVerdict, judge
from gradreach.report.compare.curve import CurvePair, curves
from gradreach.report.compare.matching import FindingMatch
from gradreach.report.compare.measure import Measure, Part, common_part, corrected, tested
from gradreach.report.compare.settings_changed import Setting, differences
from gradreach.report.conclusions import Conclusions


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side, A the earlier or the baseline; `names` are what they are called, `part` what is compared.

    Every interval holds for these two runs alone: one run a side says nothing about other seeds.
    """

    a: Conclusions
    b: Conclusions
    names: tuple[str, str]
    part: Part
    settings: tuple[Setting, ...]
    findings: tuple[FindingMatch, ...]
    figures: tuple[Measure, ...]
    curves: tuple[CurvePair, ...]
    verdict: ComparisonVerdict

    @property
    def tested(self) -> int:
        """How many figures have an interval; their p are corrected for as many."""
        return tested(self.figures)


def compare(a: Conclusions, b: Conclusions, names: tuple[str, str] = ("A", "B")) -> Comparison:
    """Set the conclusions of two runs side by side: what is in B that was not in A."""
    here, there = a.facts, b.facts
    pairs = matching.sites(here, there)
    part = common_part(here, there)
    measured = [] if part.empty else [*of_sites(here, there, part, pairs), *of_runs(here, there, part)]
    measured += [*of_time(here, there, part, pairs), *of_depth(here, there, part, pairs)]
    figures, findings = corrected(measured), matching.findings(a, b, pairs)
    return Comparison(
        a,
        b,
        names,
        part,
        differences(here, there),
        findings,
        figures,
        curves(here, there, part, pairs),
        judge(here, there, findings, figures),
    )
