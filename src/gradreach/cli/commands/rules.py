"""`gradreach rules`: every rule, and the package that brings it."""

from __future__ import annotations

import typer

from gradreach.cli.output import CLEAN, say
from gradreach.cli.quick import QuickCommand

command = typer.Typer()


@command.command(cls=QuickCommand, epilog="Example:  gradreach rules")
def rules() -> int:
    """List every rule: code, severities, title."""
    from gradreach.rules.registry import ORIGINS, RULES

    rows = [(rule.code, "/".join(rule.severities), ORIGINS[rule.code], rule.title) for rule in RULES.values()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    say(
        "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )
    )
    return CLEAN
