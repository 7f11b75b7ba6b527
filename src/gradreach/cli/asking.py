"""Commands that need no run: the rules, and what they mean."""

from __future__ import annotations

from typing import Annotated

import typer

from gradreach.cli.output import CLEAN, say, unknown_rule

commands = typer.Typer()


@commands.command(epilog="Example:  gradreach explain GR101")
def explain(code: Annotated[str, typer.Argument(metavar="CODE", help="A rule's code, as in a finding.")]) -> int:
    """Say what a rule looks for, why it matters, when it does not, and what to do."""
    from gradreach.rules.registry import RULES

    rule = RULES.get(code.upper())
    if rule is None:
        return unknown_rule(code)
    from gradreach.report.explanation import as_text

    say(as_text(rule))
    return CLEAN


@commands.command(epilog="Example:  gradreach rules")
def rules() -> int:
    """List every rule: code, severities, title."""
    from gradreach.rules.registry import RULES

    width = max(len("/".join(rule.severities)) for rule in RULES.values())
    say("\n".join(f"{rule.code}  {'/'.join(rule.severities):<{width}}  {rule.title}" for rule in RULES.values()))
    return CLEAN
