"""`gradreach check`: the exit code of a recording, for scripts and CI."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gradreach.cli.arguments import Ignore, Level, Recording
from gradreach.cli.output import CLEAN, FOUND, say, say_in_lines
from gradreach.cli.recording import load
from gradreach.facts.wording import capital, local

if TYPE_CHECKING:
    from gradreach.record.schema import Finding
    from gradreach.report.report import Report

command = typer.Typer()


class CheckFormat(StrEnum):
    """How a check's result is printed."""

    text = "text"
    json = "json"
    github = "github"
    junit = "junit"


@command.command(epilog="Example:  gradreach check gradreach-out/train --fail-on warning")
def check(
    folder: Recording,
    fail_on: Annotated[Level, typer.Option("--fail-on", help="Exit with 1 from this severity on.")] = Level.error,
    format: Annotated[CheckFormat, typer.Option("--format", help="What to print.")] = CheckFormat.text,
    ignore: Ignore = None,
) -> int:
    """Exit with 1 where a recording holds findings: for CI."""
    made = load(folder, ignore)
    if isinstance(made, int):
        return made
    failing = made.conclusions.at_or_above(fail_on.value)
    if format is CheckFormat.json:
        from gradreach.report.json_report import checked, to_json

        sys.stdout.write(to_json(checked(fail_on.value, made.verdict, failing)))
    elif format is CheckFormat.junit:
        from gradreach.report.ci_formats import as_junit

        sys.stdout.write(as_junit(made.conclusions, failing))
    else:
        told = _lines(made, failing, format)
        if format is CheckFormat.github:
            say("\n".join([*told, _total(made, failing, fail_on)]))
        else:
            say_in_lines(local("\n".join([made.verdict.sentence, *told, _total(made, failing, fail_on)])))
    return FOUND if failing else CLEAN


def _lines(made: Report, failing: Sequence[Finding], format: CheckFormat) -> list[str]:
    """The findings that count, a line each."""
    if format is CheckFormat.github:
        from gradreach.report.ci_formats import as_github

        return as_github(made.conclusions, failing)
    from gradreach.report.finding_text import of_finding

    return [
        f"{each.severity} {each.code} {each.title}, {of_finding(each)}: {capital(each.because)}" for each in failing
    ]


def _total(made: Report, failing: Sequence[Finding], level: Level) -> str:
    return f"{len(failing)} at or above {level.value}, {len(made.findings)} in all"
