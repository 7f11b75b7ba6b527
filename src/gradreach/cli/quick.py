"""Commands that answer at once: typer imports pydantic, which takes longer than all else, to convert a value, even that
of a `--help` that was not given. A command none of whose values needs converting is spared it.

All of this is public API of typer; where a later typer converts in another way, these commands are slower, not broken.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class QuickCommand(TyperCommand):
    """A command whose `--help` is off rather than unset; it takes its arguments from `typer.Context.args`."""

    context_class = typer.Context

    def get_help_option(self, ctx: Any) -> Any:
        """The option, with a default that is a bool."""
        return _off(super().get_help_option(ctx))


class QuickGroup(TyperGroup):
    """A group whose `--help` is off rather than unset."""

    def get_help_option(self, ctx: Any) -> Any:
        """The option, with a default that is a bool."""
        return _off(super().get_help_option(ctx))


def _off(option: Any) -> Any:
    if option is not None:
        option.default = False
    return option
