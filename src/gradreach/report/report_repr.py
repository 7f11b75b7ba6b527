"""A report as Python shows it at its prompt: at most ten lines of plain text."""

from __future__ import annotations

from textwrap import wrap

from gradreach.facts.wording import count, safe
from gradreach.report import run_text
from gradreach.report.conclusions import Conclusions
from gradreach.report.grouped_findings import grouped

ROWS, WIDTH = 10, 100


def in_ten_lines(conclusions: Conclusions) -> str:
    """The run, the verdict, the findings with their places as far as there is room, and how to see more."""
    run, groups = conclusions.record.run, grouped(conclusions.findings)
    head = f"<gradreach.Report of {run_text.of_command(run, 50)}, {count(conclusions.record.length, 'step')}"
    verdict = [f"  {line}" for line in wrap(safe(conclusions.verdict.sentence), WIDTH - 2, break_on_hyphens=False)]
    found = [
        f"  {each.first.severity} {each.first.code} {safe(each.first.title)}, {safe(each.place)}" for each in groups
    ]
    found = [line.removesuffix(", ") for line in found]
    room = ROWS - 2 - len(verdict)
    if len(found) > room:
        found = [*found[: max(room - 1, 0)], f"  and {len(found) - max(room - 1, 0)} more"]
    return "\n".join(
        [head, *verdict, *found, "  .save('report.html') writes the page; .findings, .answers, .as_dict()>"]
    )
