"""What a rule is: a code, a text that explains it, and one pure function from the facts of a run to findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gradreach.facts.facts import Facts
from gradreach.facts.thresholds import Threshold
from gradreach.record.schema import Finding, Remedy, Severity

Where = dict[str, str | int | float]
Evidence = dict[str, str | int | float | bool | None]
Family = Literal["time", "depth", "step", "data", "loop", "loss"]

LEAST_URGENT = 100

UNITS: Mapping[str, str] = {
    "factor": "per step",
    "bound_factor": "per step",
    "horizon": "steps",
    "lag": "steps",
    "T": "steps",
}
"""Units of figures that the evidence of several rules holds; the rest are counts, norms and ratios, without a unit."""

LABELS: Mapping[str, str] = {
    "lambda": "λ",
    "gamma": "γ",
    "gamma_mean": "mean γ",
    "rho": "ρ",
    "factor": "factor over all lags",
    "bound_factor": "bound γλ",
    "far_reach": "reach at the farthest lag",
    "lags": "steps back",
    "positions": "errors",
    "looks": "watched steps",
    "update_size": "update ‖Δw‖/‖w‖",
}
"""Names of figures that the evidence of several rules holds, where the key itself does not read as one."""


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What a rule comes to: its findings, or in `why_not` what the record lacked to judge by."""

    findings: tuple[Finding, ...] = ()
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `explain CODE` prints. `thresholds` says when the rule speaks and why then; `remedies` name each its
    trade-off, `silence` says when it is right to ignore the rule; `references` give author, year and title."""

    cause: str
    mathematics: tuple[str, ...]
    thresholds: str
    remedies: tuple[str, ...]
    silence: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    `severities` lists what its findings may be, worst first. `thresholds` are the figures that a user may set to make
    it speak earlier or later.

    For the reports: `heading` stands over the remedies of a finding that is mere information, `opening` begins the
    verdict's sentence, and `headline` writes the whole of that sentence where an opening is not enough. `aside` adds
    half a sentence to the verdict where the finding is information. `urgency` ranks findings of equal severity, the
    lowest first; where a rule `is_symptom`, its finding is information beside any that may be its cause. `effects` are
    the codes of what its fault does by itself: beside a finding that `is_cause` those at the same line are not told;
    information proves no harm, and so explains none. `units`
    and `labels` are those of its own evidence, beside UNITS and LABELS. `zoo` names the scripts of the test zoo that
    show it.
    """

    code: str
    slug: str
    title: str
    severities: tuple[Severity, ...]
    family: Family
    explain: Explanation
    judge: Callable[[Facts], RuleOutcome]
    thresholds: tuple[Threshold, ...] = ()
    heading: str = ""
    opening: str = ""
    headline: Callable[[Facts, Finding], str] | None = None
    aside: Callable[[Finding], str] | None = None
    urgency: int = LEAST_URGENT
    is_symptom: bool = False
    effects: tuple[str, ...] = ()
    is_cause: Callable[[Finding], bool] = lambda finding: finding.severity != "info"
    units: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    zoo: tuple[str, ...] = ()

    def finding(
        self,
        severity: Severity,
        where: Where,
        evidence: Evidence,
        because: str,
        remedies: tuple[Remedy, ...],
        formula: str,
    ) -> Finding:
        """A finding of this rule."""
        return Finding(self.code, severity, self.title, where, evidence, because, remedies, formula)

    def unit(self, key: str) -> str:
        """The unit of a figure in its evidence; empty where it has none."""
        return self.units.get(key) or UNITS.get(key, "")

    def label(self, key: str) -> str:
        """The name of a figure in its evidence as words: `clip_rate` reads `clip rate`, `lambda` reads `λ`."""
        return self.labels.get(key) or LABELS.get(key) or key.replace("_", " ").strip()
