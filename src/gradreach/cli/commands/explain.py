"""`gradreach explain`: what a rule looks for, and what to do."""

from __future__ import annotations

import typer

from gradreach.cli.output import CLEAN, say, unknown_rule
from gradreach.cli.quick import QuickCommand

command = typer.Typer()


@command.command(
    cls=QuickCommand,
    options_metavar="CODE...",
    context_settings={"allow_extra_args": True},
    epilog="Example:  gradreach explain GR101",
)
def explain(context: typer.Context) -> int:
    """Say what a rule looks for, why, and what to do.

    CODE is a rule's code, as in a finding.
    """
    if not context.args:
        raise typer.BadParameter("name a rule by its code, as in a finding", param_hint="CODE")
    from gradreach.rules.registry import RULES

    unknown = [code for code in context.args if code.upper() not in RULES]
    if unknown:
        return unknown_rule(unknown[0])
    from gradreach.report.explanation import as_text

    say("\n\n".join(as_text(RULES[code.upper()]) for code in context.args))
    return CLEAN
