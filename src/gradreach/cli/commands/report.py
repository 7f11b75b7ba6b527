"""`gradreach report`: what a recording holds, in words and as a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradreach.cli.arguments import Format, FormatOption, Ignore, JsonFile, Recording, in_force
from gradreach.cli.output import CLEAN, USAGE, complain, say, write
from gradreach.cli.recording import load

if TYPE_CHECKING:
    from gradreach.report.conclusions import Conclusions
    from gradreach.report.report import Report

command = typer.Typer()


@command.command(epilog="Example:  gradreach report gradreach-out/train --html report.html")
def report(
    folder: Recording,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page here; default: DIR/report.html.")
    ] = None,
    json: JsonFile = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the report as Markdown, for an issue or a chat, and nothing else.")
    ] = False,
    card: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the verdict as one picture here, FILE.svg or FILE.png.")
    ] = None,
    format: FormatOption = Format.text,
    ignore: Ignore = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show where a run that goes on stands, until it ends; then report.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say all: grounds, measurements, checks that were not made.")
    ] = False,
) -> int:
    """Say what a recording holds, in words and as one HTML page."""
    if follow:
        from gradreach.report.live import follow as following

        if json or markdown or card or format is Format.json:
            told = "takes no --json, no --markdown, no --card and no --format json beside it"
            raise typer.BadParameter(told, param_hint="--follow")
        return following.follow(folder, lambda: _conclusions(load(folder, ignore)), html)
    if card is not None and card.suffix.lower() not in (".svg", ".png"):
        raise typer.BadParameter(f"{card} ends in neither .svg nor .png", param_hint="--card")
    if markdown and format is Format.json:
        raise typer.BadParameter("takes no --format json beside it", param_hint="--markdown")
    made = load(folder, ignore)
    if isinstance(made, int):
        return made
    if card is not None and not _write_card(card, made):
        return USAGE
    if (html and not write(html, made.to_html)) or (json and not write(json, made.to_json)):
        return USAGE
    if markdown:
        say(made.to_markdown().rstrip("\n"))
        return CLEAN
    if format is Format.json:
        sys.stdout.write(made.to_json())
        return CLEAN
    from gradreach.report.charts.terminal_card import console_for
    from gradreach.report.terminal import print_summary

    page = html or (None if ignore else _page_beside(folder, made, in_force().source))
    print_summary(made.conclusions, console_for(), str(page or ""), verbose=verbose)
    return CLEAN


def _conclusions(made: Report | int) -> Conclusions | int:
    return made if isinstance(made, int) else made.conclusions


def _write_card(path: Path, made: Report) -> bool:
    """Write the picture; whether that worked, with a complaint where it did not."""
    try:
        made.save(path)
    except (OSError, RuntimeError) as error:
        complain(f"cannot write {path}: {error}")
        return False
    return True


def _page_beside(recording: Path, made: Report, settings: Path | None) -> Path | None:
    """The page in the recording's folder, drawn anew where recording or settings have changed since."""
    folder = recording if recording.is_dir() else recording.parent
    page = folder / "report.html"
    sources = [recording] if recording.is_file() else list(folder.glob("rank*.sqlite*"))
    sources += [settings] if settings is not None else []
    if page.is_file() and all(page.stat().st_mtime >= file.stat().st_mtime for file in sources):
        return page
    return page if write(page, made.to_html) else None
