"""Commands that read a recording; none of them imports torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradreach.cli.arguments import Format, FormatOption, Ignore, JsonFile, Level, Recording, in_force
from gradreach.cli.output import CLEAN, FOUND, UNREADABLE, USAGE, complain, say, unknown_rule, write

if TYPE_CHECKING:
    from gradreach.record.schema import Finding
    from gradreach.report.conclusions import Conclusions
    from gradreach.report.report import Report

commands = typer.Typer()


class CheckFormat(StrEnum):
    """How a check's result is printed."""

    text = "text"
    json = "json"
    github = "github"
    junit = "junit"


@commands.command(epilog="Example:  gradreach report gradreach-runs/last --html report.html")
def report(
    folder: Recording,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page here; default: DIR/report.html.")
    ] = None,
    json: JsonFile = None,
    format: FormatOption = Format.text,
    ignore: Ignore = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show where a run that goes on stands, until it ends; then report.")
    ] = False,
) -> int:
    """Say what a recording holds, in words and as one HTML page."""
    if follow:
        from gradreach.report.live import follow as following

        if json or format is Format.json:
            raise typer.BadParameter("takes no --json and no --format json beside it", param_hint="--follow")
        return following.follow(folder, lambda: _conclusions(_load(folder, ignore)), html)
    made = _load(folder, ignore)
    if isinstance(made, int):
        return made
    if (html and not write(html, made.to_html)) or (json and not write(json, made.to_json)):
        return USAGE
    if format is Format.json:
        sys.stdout.write(made.to_json())
        return CLEAN
    from gradreach.report.charts.terminal_card import console_for
    from gradreach.report.terminal import print_summary

    page = html or (None if ignore else _page_beside(folder, made, in_force().source))
    print_summary(made.conclusions, console_for(), str(page or ""))
    return CLEAN


@commands.command(epilog="Example:  gradreach check gradreach-runs/last --fail-on warning")
def check(
    folder: Recording,
    fail_on: Annotated[Level, typer.Option("--fail-on", help="Exit with 1 from this severity on.")] = Level.error,
    format: Annotated[CheckFormat, typer.Option("--format", help="What to print.")] = CheckFormat.text,
    ignore: Ignore = None,
) -> int:
    """Exit with 1 where a recording holds findings at or above a level, for use in scripts and CI."""
    made = _load(folder, ignore)
    if isinstance(made, int):
        return made
    failing = made.conclusions.at_or_above(fail_on.value)
    if format is CheckFormat.json:
        from gradreach.report.json_report import checked, to_json

        sys.stdout.write(to_json(checked(fail_on.value, failing)))
    elif format is CheckFormat.junit:
        from gradreach.report.ci_formats import as_junit

        sys.stdout.write(as_junit(made.conclusions, failing))
    else:
        say("\n".join([*_lines(made, failing, format), _total(made, failing, fail_on)]))
    return FOUND if failing else CLEAN


@commands.command(epilog="Example:  gradreach compare gradreach-out/before gradreach-out/after --html change.html")
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="The earlier recording, or the one to measure by.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The recording that is set beside it.")],
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page here.")] = None,
    json: JsonFile = None,
    format: FormatOption = Format.text,
    ignore: Ignore = None,
) -> int:
    """Say what changed from one recording to another: findings, figures beyond their noise, curves."""
    here = _load(a, ignore)
    if isinstance(here, int):
        return here
    there = _load(b, ignore)
    if isinstance(there, int):
        return there
    from gradreach.report.compare.comparison import compare as compared
    from gradreach.report.compare.json_report import comparison_fields
    from gradreach.report.compare.page import render
    from gradreach.report.json_report import to_json

    made = compared(here.conclusions, there.conclusions, (str(a), str(b)))
    fields = comparison_fields(made)
    if (html and not write(html, lambda: render(made))) or (json and not write(json, lambda: to_json(fields))):
        return USAGE
    if format is Format.json:
        sys.stdout.write(to_json(fields))
        return CLEAN
    from gradreach.report.charts.terminal_card import console_for
    from gradreach.report.compare.terminal import print_comparison

    print_comparison(made, console_for(), str(html or ""))
    return CLEAN


def _load(folder: Path, ignore: Sequence[str] | None) -> Report | int:
    """The report of a recording, or the exit code where there is none to be had."""
    from gradreach.record.store import Unreadable, read
    from gradreach.report.report import Report
    from gradreach.rules.registry import RULES

    codes = [code.upper() for code in ignore or ()]
    for code in codes:
        if code not in RULES:
            return unknown_rule(code)
    settings = in_force()
    try:
        return Report.of(read(folder), [*settings.ignore, *codes], settings.thresholds)
    except Unreadable as error:
        complain(str(error))
        return UNREADABLE


def _conclusions(made: Report | int) -> Conclusions | int:
    return made if isinstance(made, int) else made.conclusions


def _page_beside(recording: Path, made: Report, settings: Path | None) -> Path | None:
    """The page in the recording's folder, drawn anew where recording or settings have changed since."""
    folder = recording if recording.is_dir() else recording.parent
    page = folder / "report.html"
    sources = [recording] if recording.is_file() else list(folder.glob("rank*.sqlite*"))
    sources += [settings] if settings is not None else []
    if page.is_file() and all(page.stat().st_mtime >= file.stat().st_mtime for file in sources):
        return page
    return page if write(page, made.to_html) else None


def _lines(made: Report, failing: Sequence[Finding], format: CheckFormat) -> list[str]:
    """The findings that count, a line each."""
    if format is CheckFormat.github:
        from gradreach.report.ci_formats import as_github

        return as_github(made.conclusions, failing)
    from gradreach.report.finding_text import of_finding

    return [f"{each.severity} {each.code} {each.title}, {of_finding(each)}: {each.because}" for each in failing]


def _total(made: Report, failing: Sequence[Finding], level: Level) -> str:
    return f"{len(failing)} at or above {level.value}, {len(made.findings)} in all"
