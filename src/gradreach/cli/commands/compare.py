"""`gradreach compare`: what changed from one recording to another."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gradreach.cli.arguments import Format, FormatOption, Ignore, JsonFile
from gradreach.cli.output import CLEAN, USAGE, write
from gradreach.cli.recording import load

command = typer.Typer()


@command.command(epilog="Example:  gradreach compare gradreach-out/before gradreach-out/after --html change.html")
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="The earlier recording, or the one to measure by.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The recording that is set beside it.")],
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page here.")] = None,
    json: JsonFile = None,
    format: FormatOption = Format.text,
    ignore: Ignore = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="List every figure, and say what is noise.")] = False,
) -> int:
    """Say what changed from one recording to another.

    Findings, figures beyond their noise, and curves.
    """
    here = load(a, ignore)
    if isinstance(here, int):
        return here
    there = load(b, ignore)
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

    print_comparison(made, console_for(), str(html or ""), verbose=verbose)
    return CLEAN
