"""`gradreach doctor`: whether gradreach works here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gradreach.cli.arguments import Format, FormatOption
from gradreach.cli.output import CLEAN, FOUND, complain, say, say_as_json

if TYPE_CHECKING:
    from gradreach.doctor.check import Diagnosis

command = typer.Typer()

CompileOption = Annotated[bool, typer.Option("--compile", help="Compile the loops of gr.nn ahead, for this user.")]


@command.command(epilog="Example:  gradreach doctor")
def doctor(form: FormatOption = Format.text, loops: CompileOption = False) -> int:
    """Check that gradreach works here.

    Versions, devices, hooks, compile, AMP, distributed, disk, settings. With --compile, the compiled loops of gr.nn are
    made ahead instead, so that no training waits for them.
    """
    from gradreach.doctor.check import as_dict, checks, examine
    from gradreach.doctor.compiled_loops import COMPILED_LOOPS

    found = []
    for name, diagnosis in examine([COMPILED_LOOPS] if loops else checks(), _begin):
        found.append((name, diagnosis))
        if form is Format.text:
            say(_line(name, diagnosis))
    sound = all(diagnosis.state != "error" for _, diagnosis in found)
    if form is Format.json:
        say_as_json({"schema": "gradreach-doctor/1", "ok": sound, "checks": [as_dict(*each) for each in found]})
    return CLEAN if sound else FOUND


def _begin(name: str) -> None:
    """Say which check is being made, on a terminal where the next line takes its place, else only the slow one."""
    if name == "loops":
        complain("compiling the loops of gr.nn, which takes up to a minute the first time")
    elif name == "compile" and not sys.stderr.isatty():
        complain("trying torch.compile, which may take a minute")
    elif sys.stderr.isatty():
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
