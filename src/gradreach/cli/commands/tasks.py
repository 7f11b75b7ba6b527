"""`gradreach tasks`: the tasks that the theory is taught with, listed or trained under watch."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gradreach.cli.arguments import ExitCode, in_force
from gradreach.cli.output import CLEAN, say

command = typer.Typer()


@command.command(
    epilog="Example:  gradreach tasks adding --length 200 --layer gru",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def tasks(
    program: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME [OPTIONS...]]", help="The task and its own options; NAME --help lists them."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to record; default gradreach-out/NAME.")
    ] = None,
) -> ExitCode:
    """List the theory's tasks, or train one and watch it."""
    given = tuple(program or ())
    if not given:
        from gradreach.cli.listings import table
        from gradreach.cli.listings import tasks as listed

        say(f"{table(listed())}\n\nOptions of one:  gradreach tasks NAME --help")
        return CLEAN
    if {"-h", "--help"} & set(given):
        from gradreach.tasks.__main__ import main as of_task

        return of_task(given)
    from gradreach.cli.run_and_report import ReportOptions, run_and_report
    from gradreach.watch.launch.options import WatchOptions
    from gradreach.watch.launch.program import Program

    settings = in_force()
    watching = WatchOptions(out or Path("gradreach-out") / Path(given[0]).name, settings.budget, memory=settings.memory)
    return partial(run_and_report, Program("gradreach.tasks", given, True), watching, ReportOptions(settings=settings))
