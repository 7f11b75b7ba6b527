"""What commands share: the types that they take and return, and the settings of the project they run in."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradreach.cli.output import USAGE, complain

if TYPE_CHECKING:
    from gradreach.settings import Settings

Done = int | Callable[[], int]
"""What a command returns: its exit code, or a function that `main` calls once the parser is done."""


class Level(StrEnum):
    """The severity from which on a finding counts."""

    error = "error"
    warning = "warning"
    info = "info"


Recording = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder that a run was recorded in, or one of its .sqlite files.")
]


def in_force() -> Settings:
    """The project's settings; ends the command as wrong usage where they cannot be used."""
    from gradreach import settings

    try:
        return settings.of()
    except settings.BadSettings as error:
        complain(str(error))
        raise typer.Exit(USAGE) from None
