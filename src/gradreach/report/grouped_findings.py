"""Findings as they are listed: each by itself, but those of one code that are mere information as one entry."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.wording import capital
from gradreach.record.schema import Finding, Remedy
from gradreach.report.finding_text import place, told

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """What the list shows as one: a finding by itself, or all findings of one code that are mere information."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """The finding that stands for the group's code, title and severity."""
        return self.findings[0]

    @property
    def place(self) -> str:
        """Where all of its findings stand, as far as they share it."""
        return place(self._shared()) or ("" if len(self.findings) > 1 else "the whole run")

    @property
    def reasons(self) -> tuple[tuple[str, str], ...]:
        """Of each finding its own place, empty where there is but one, and what is true of it alone."""
        shared, tail = self._shared(), self.common
        return tuple(
            (
                place({key: value for key, value in told(finding.where).items() if key not in shared}),
                capital(finding.because.removesuffix(tail).rstrip()),
            )
            for finding in self.findings
        )

    @property
    def common(self) -> str:
        """The sentences with which all of several reasons end."""
        if len(self.findings) < 2:
            return ""
        texts = [SENTENCE_END.split(finding.because) for finding in self.findings]
        shared: list[str] = []
        for last in zip(*(reversed(sentences[1:]) for sentences in texts), strict=False):
            if len(set(last)) > 1:
                break
            shared.insert(0, last[0])
        return " ".join(shared)

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What to do, the same remedy of several places as the lines of one."""
        merged: dict[tuple[str, str], list[str]] = {}
        for finding in self.findings:
            for remedy in finding.remedies:
                lines = merged.setdefault((remedy.id, remedy.why), [])
                lines += [remedy.do] if remedy.do not in lines else []
        return tuple(Remedy(name, "\n".join(lines), why) for (name, why), lines in merged.items())

    def _shared(self) -> dict[str, str | int | float]:
        first, *others = [told(finding.where) for finding in self.findings]
        if not others:
            return first
        return {
            key: value
            for key, value in first.items()
            if key not in ("layer", "direction") and all(other.get(key) == value for other in others)
        }


def grouped(findings: Sequence[Finding]) -> list[FindingGroup]:
    """All findings in their order, those of one code that are information together."""
    groups: dict[object, list[Finding]] = {}
    for rank, finding in enumerate(findings):
        key = finding.code if finding.severity == "info" else rank
        groups.setdefault(key, []).append(finding)
    return [FindingGroup(tuple(members)) for members in groups.values()]
