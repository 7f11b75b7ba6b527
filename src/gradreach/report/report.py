"""The report on a run as people take it away: as an object, a page, JSON, in a notebook, on a terminal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradreach.facts.facts import Facts
from gradreach.facts.thresholds import DEFAULT, Thresholds
from gradreach.record.schema import Finding, Record
from gradreach.report.conclusions import Conclusions
from gradreach.report.questions import Answer
from gradreach.report.verdict import Verdict

if TYPE_CHECKING:
    from gradreach.report.terminal import Summary


@dataclass(frozen=True)
class Report:
    """What a run comes to, in every form that it can be taken away."""

    conclusions: Conclusions

    def __repr__(self) -> str:
        from gradreach.report.report_repr import in_ten_lines

        return in_ten_lines(self.conclusions)

    @classmethod
    def of(cls, record: Record, ignore: Collection[str] = (), thresholds: Thresholds = DEFAULT) -> Report:
        """Apply every rule to `record`, save those whose codes are in `ignore`, each from its threshold on."""
        return cls(Conclusions.of(Facts(record, thresholds), ignore))

    @property
    def record(self) -> Record:
        """All that was seen of the run."""
        return self.conclusions.record

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds that the rules went by."""
        return self.conclusions.facts.thresholds

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the rules found, the most serious first."""
        return self.conclusions.findings

    @property
    def passed(self) -> tuple[str, ...]:
        """The codes of the checks that found nothing."""
        return self.conclusions.passed

    @property
    def not_judged(self) -> Mapping[str, str]:
        """The codes of the checks that could not be made, and what the run lacked for each."""
        return self.conclusions.not_judged

    @property
    def verdict(self) -> Verdict:
        """The run in one sentence."""
        return self.conclusions.verdict

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers to the questions that people come with; none where no step was seen."""
        return self.conclusions.answers

    def as_dict(self) -> dict[str, Any]:
        """The report's fields, schema "gradreach/1", every float finite or None."""
        from gradreach.report.json_report import as_dict, report_fields

        return as_dict(report_fields(self.conclusions))

    def save(self, path: str | Path) -> Path:
        """Write the report as its suffix says and return the path: .html, .json, .md, or the verdict's card as .svg or
        .png.

        Raises ValueError for any other suffix, OSError where the file cannot be written, RuntimeError for a PNG where
        no browser draws it.
        """
        path = Path(path)
        forms = {
            ".html": self.to_html,
            ".htm": self.to_html,
            ".json": self.to_json,
            ".md": self.to_markdown,
            ".svg": self.to_svg,
        }
        suffix = path.suffix.lower()
        if suffix == ".png":
            path.write_bytes(self.to_png())
            return path
        if suffix not in forms:
            known = ", ".join(name for name in forms if name != ".htm")
            raise ValueError(f"path: expected a name that ends in {known} or .png, got {path.name!r}; rename it")
        path.write_text(forms[suffix](), encoding="utf-8")
        return path

    def to_html(self) -> str:
        """The report as one HTML page that loads nothing from elsewhere."""
        from gradreach.report.page import render

        return render(self.conclusions)

    def to_markdown(self) -> str:
        """The report as Markdown, to be pasted into an issue or a chat."""
        from gradreach.report.markdown import markdown

        return markdown(self.conclusions)

    def to_svg(self) -> str:
        """The verdict, its figure and what to do first as one picture."""
        from gradreach.report.verdict_card import svg_card

        return svg_card(self.conclusions)

    def to_png(self) -> bytes:
        """The same picture as PNG, drawn by a browser of this machine. Raises RuntimeError where there is none."""
        from gradreach.report.verdict_card import png_card

        return png_card(self.conclusions)

    def to_json(self) -> str:
        """The report's fields as one line of JSON."""
        from gradreach.report.json_report import report_fields, to_json

        return to_json(report_fields(self.conclusions))

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that a notebook's style and the page's do not touch."""
        from gradreach.report.page import framed

        return framed(self.conclusions)

    def __rich__(self) -> Summary:
        """The summary that rich prints."""
        from gradreach.report.terminal import Summary

        return Summary(self.conclusions)
