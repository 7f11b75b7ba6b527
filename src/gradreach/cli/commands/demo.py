"""`gradreach demo`: a small network under watch, one for each question."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gradreach.cli.arguments import ExitCode
from gradreach.cli.output import CLEAN, say
from gradreach.demo import DEMOS

command = typer.Typer()


@command.command(epilog="Example:  gradreach demo vanishing")
def demo(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help=f"One of {', '.join(DEMOS)}.")] = "text",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to record; default gradreach-out/demo-NAME.")
    ] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", min=1, help="End after N backward passes.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No line on how far it is while it runs.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Say what each one asks, and end.")] = False,
) -> ExitCode:
    """Watch a small network train: one for each question.

    Each takes under half a minute on two cores.
    """
    if listed:
        say("\n".join(f"{each.name:<10} {each.question:<36} {each.about}" for each in DEMOS.values()))
        return CLEAN
    if name not in DEMOS:
        raise typer.BadParameter(f"{name}: expected one of {', '.join(DEMOS)}", param_hint="NAME")
    from gradreach.cli.run_and_report import run_demo

    return partial(run_demo, DEMOS[name], out or Path("gradreach-out") / f"demo-{name}", steps, quiet=quiet)
