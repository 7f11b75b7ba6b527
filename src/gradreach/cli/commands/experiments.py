"""`gradreach experiments`: what the theory claims, measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradreach.cli.output import CLEAN, say

if TYPE_CHECKING:
    from gradreach.experiments.experiment import Form

command = typer.Typer()


@command.command(epilog="Example:  gradreach experiments cliff --quick")
def experiments(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Which to run; all for every one. None: a list.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, under a minute each.")] = False,
    full: Annotated[bool, typer.Option("--full", help="The published sizes: hours to days.")] = False,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="Processes; the numbers do not depend on it.")] = 1,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", envvar="GRADREACH_DATA", exists=True, help="A folder of texts and test sets."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the numbers and the figures go.")] = Path(
        "gradreach-out/experiments"
    ),
) -> int:
    """Run what the theory claims: measured beside predicted."""
    if quick and full:
        raise typer.BadParameter("takes no --full beside it: name one of the two", param_hint="--quick")
    if not names:
        from gradreach.cli.listings import experiments as listed
        from gradreach.cli.listings import table

        say(table(listed()))
        return CLEAN
    from gradreach.experiments.command import perform
    from gradreach.experiments.lab import Lab
    from gradreach.experiments.registry import experiments as known

    unknown = [name for name in names if name not in (*known(), "all")]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]}: expected all or one of {', '.join(known())}", param_hint="NAME")
    form: Form = "quick" if quick else "full" if full else "usual"
    return perform(known() if "all" in names else names, form, Lab(jobs, data=data), out, say)
