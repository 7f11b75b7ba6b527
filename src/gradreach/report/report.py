"""What a run's record comes to: findings, checks passed and a verdict, in every form that they can be taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradreach.facts.legacy_thresholds import DEFAULT, Thresholds
from gradreach.record.schema import Finding, Record

if TYPE_CHECKING:
    from gradreach.report.terminal import Summary
    from gradreach.report.three_questions import Answer
    from gradreach.report.verdict import Verdict


@dataclass(frozen=True)
class Report:
    """A record, what the rules found in it, the codes of the checks it passed, and of the others what they lacked;
    the thresholds that they went by."""

    record: Record
    findings: tuple[Finding, ...] = ()
    passed: tuple[str, ...] = ()
    not_judged: Mapping[str, str] = field(default_factory=dict)
    thresholds: Thresholds = DEFAULT

    @classmethod
    def of(cls, record: Record, ignore: Sequence[str] = (), thresholds: Thresholds = DEFAULT) -> Report:
        """Apply every rule to `record`, save those whose codes are in `ignore`, each from its threshold on."""
        from gradreach.rules import registry

        judged = registry.judge(record, ignore, thresholds)
        return cls(record, judged.findings, judged.passed, judged.not_judged, thresholds)

    @cached_property
    def verdict(self) -> Verdict:
        """The run in one sentence."""
        from gradreach.report.verdict import verdict

        return verdict(self.record, self.findings)

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """The answers to the three questions that people come with; none where no step was seen."""
        from gradreach.report.three_questions import answers

        return answers(self.record, self.findings, self.thresholds)

    def as_dict(self) -> dict[str, Any]:
        """The report's fields, schema "gradreach/1", every float finite or None."""
        from gradreach.report.json_report import document
        from gradreach.report.verdict import by_severity

        return document(self.record, by_severity(self.findings), self.passed, self.not_judged, self.thresholds)

    def save(self, path: str | Path) -> Path:
        """Write the report as its suffix says, .html or .json, and return the path.

        Raises ValueError for any other suffix, OSError where the file cannot be written.
        """
        path = Path(path)
        forms = {".html": self.to_html, ".htm": self.to_html, ".json": self.to_json}
        if path.suffix.lower() not in forms:
            raise ValueError(f"path: expected a name that ends in .html or .json, got {path.name!r}; rename it")
        path.write_text(forms[path.suffix.lower()](), encoding="utf-8")
        return path

    def to_html(self) -> str:
        """The report as one HTML page that loads nothing from elsewhere."""
        from gradreach.report.html import render

        return render(self)

    def to_json(self) -> str:
        """The report's fields as one line of JSON."""
        from gradreach.report.json_report import to_json

        return to_json(self.as_dict())

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that a notebook's style and the page's do not touch."""
        from gradreach.report.html import framed

        return framed(self)

    def __rich__(self) -> Summary:
        """The summary that rich prints."""
        from gradreach.report.terminal import Summary

        return Summary(self)
