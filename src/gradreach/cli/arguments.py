"""The types that commands share: what they take and what they return."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

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
