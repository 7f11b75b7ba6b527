"""What a run's record comes to, as values alone: every form that a report takes reads these and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gradreach.facts.facts import Facts
from gradreach.record.schema import SEVERITIES, Finding, Record, Severity
from gradreach.report.questions import Answer, answers
from gradreach.report.verdict import Verdict, verdict
from gradreach.rules import registry


@dataclass(frozen=True)
class Conclusions:
    """The facts of a run, what the rules found in them, the codes of the checks that it passed, and of the others what
    they lacked."""

    facts: Facts
    findings: tuple[Finding, ...] = ()
    passed: tuple[str, ...] = ()
    not_judged: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: Facts, ignore: Collection[str] = ()) -> Conclusions:
        """Apply every rule to the facts, save those whose codes are in `ignore`."""
        results = registry.judge(facts, ignore)
        return cls(facts, results.findings, results.passed, results.not_judged)

    @property
    def record(self) -> Record:
        """The record that the facts are of."""
        return self.facts.record

    def at_or_above(self, level: Severity) -> tuple[Finding, ...]:
        """The findings of that severity, and of any that is more serious."""
        levels = SEVERITIES[: SEVERITIES.index(level) + 1]
        return tuple(finding for finding in self.findings if finding.severity in levels)

    @cached_property
    def verdict(self) -> Verdict:
        """The run in a sentence or two."""
        return verdict(self.facts, self.findings, self.passed)

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """The answers to the questions that people come with; none where no step was seen."""
        return answers(self.facts, self.findings)
