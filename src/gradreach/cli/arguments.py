"""What commands share: the types that they take and return, and the settings of the project."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradreach.cli.output import USAGE, complain

if TYPE_CHECKING:
    from gradreach.settings import Settings

ExitCode = int | Callable[[], int]
"""What a command returns: its exit code, or a function for it that `main` calls once the parser is done."""


class Level(StrEnum):
    """The severity from which on a finding counts."""

    error = "error"
    warning = "warning"
    info = "info"


class Format(StrEnum):
    """How a result is printed."""

    text = "text"
    json = "json"


Recording = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder that a run was recorded in, or one of its .sqlite files.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="What to print.")]
JsonFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the fields here, as JSON.")]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="CODE", help="Leave this rule out; repeatable.")]


def in_force() -> Settings:
    """Return the project's settings; end the command as wrong usage where they cannot be used."""
    from gradreach import settings

    try:
        return settings.of()
    except settings.BadSettings as error:
        complain(str(error))
        raise typer.Exit(USAGE) from None
