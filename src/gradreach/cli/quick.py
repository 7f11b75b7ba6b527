"""Commands that answer at once: typer imports pydantic, which takes longer than all else, to convert a value, even that
of a `--help` that was not given. A command none of whose values needs converting is spared it.

All of this is public API of typer; where a later typer converts in another way, these commands are slower, not broken.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

SCRIPTS = (".py", ".ipynb")
"""Endings by which a word is a script's path and no command's name."""


class QuickCommand(TyperCommand):
    """A command whose `--help` is off rather than unset; it takes its arguments from `typer.Context.args`."""

    context_class = typer.Context

    def get_help_option(self, ctx: Any) -> Any:
        """The option, with a default that is a bool."""
        return _off(super().get_help_option(ctx))


class QuickGroup(TyperGroup):
    """A group whose flags are off rather than unset. A script in the place of a command's name is run."""

    def get_params(self, ctx: Any) -> Any:
        """The options, `--help` and those of shell completion among them, each with a default that is a bool."""
        options = super().get_params(ctx)
        for each in options:
            each.default = each.default or False
        return options

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the words name; `train.py …` means `run train.py …`."""
        is_script = args[0] not in self.commands and args[0].endswith(SCRIPTS)
        return super().resolve_command(ctx, ["run", *args] if is_script else args)


def _off(option: Any) -> Any:
    if option is not None:
        option.default = False
    return option
