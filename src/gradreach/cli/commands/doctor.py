"""`gradreach doctor`: whether gradreach works here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from gradreach.cli.arguments import Format, FormatOption
from gradreach.cli.output import CLEAN, FOUND, complain, say, say_as_json

if TYPE_CHECKING:
    from gradreach.doctor.check import Diagnosis

command = typer.Typer()


@command.command(epilog="Example:  gradreach doctor")
def doctor(form: FormatOption = Format.text) -> int:
    """Check that gradreach works here.

    Versions, devices, hooks, compile, AMP, distributed, disk, settings.
    """
    from gradreach.doctor.check import as_dict, checks, examine

    found = []
    for name, diagnosis in examine(checks(), _begin):
        found.append((name, diagnosis))
        if form is Format.text:
            say(_line(name, diagnosis))
    sound = all(diagnosis.state != "error" for _, diagnosis in found)
    if form is Format.json:
        say_as_json({"schema": "gradreach-doctor/1", "ok": sound, "checks": [as_dict(*each) for each in found]})
    return CLEAN if sound else FOUND


def _begin(name: str) -> None:
    """Say which check is being made, on a terminal where the next line takes its place, else only the slow one."""
    if name == "compile" and not sys.stderr.isatty():
        complain("trying torch.compile, which may take a minute")
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[Kchecking {name}\r")
        sys.stderr.flush()


def _line(name: str, diagnosis: Diagnosis) -> str:
    from textwrap import fill

    from gradreach.doctor.check import MARKS

    width, indent = 100, " " * 15
    head = f"{MARKS[diagnosis.state]} {name:<13}"
    text = fill(diagnosis.text, width, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)
    if not diagnosis.do:
        return text
    return f"{text}\n{fill(diagnosis.do, width, initial_indent=indent + '→ ', subsequent_indent=indent)}"
