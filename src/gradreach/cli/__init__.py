"""The command line. Results go to stdout, all else to stderr; commands that read a recording never import torch.

A command returns its exit code, or a function that `main` calls once the parser is done: what runs a script must not
stand under the parser's handling of exceptions, exits and interrupts.

commands: the commands, one file each
run_and_report: what `run`, `demo` and `tasks` do
why_unseen: why a program ended without a backward pass
recording: the recording that a command names, read and judged
still_working: a line while the report is made
listings: what there is to run, by name and title
arguments: the types, options and settings that commands share
output: where what a command says goes, and its exit code
quick: commands that answer at once
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from gradreach.cli.arguments import ExitCode
from gradreach.cli.commands import check, compare, demo, doctor, experiments, explain, report, rules, run, tasks
from gradreach.cli.output import CLEAN, USAGE, say
from gradreach.cli.quick import QuickGroup

_UsageError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="gradreach",
    cls=QuickGroup,
    help="How far does your gradient reach, how far does your data need it to, and what closes the difference?",
    epilog="Example:  gradreach run train.py",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def main(args: Sequence[str] | None = None) -> int:
    """The console command: parse `args` (default: the process's own), act, and return the exit code."""
    try:
        done: ExitCode | None = get_command(app).main(
            None if args is None else list(args), prog_name="gradreach", standalone_mode=False
        )
    except _UsageError as error:
        error.show()  # type: ignore[attr-defined]
        return USAGE
    except BrokenPipeError:  # the reader of our output is gone, as in `gradreach report DIR | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLEAN
    return done() if callable(done) else int(done or CLEAN)


def _version(asked: bool) -> bool:
    if asked:
        from importlib.metadata import version

        say(f"gradreach {version('gradreach')}")
        raise typer.Exit
    return asked


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


for each in (run, demo, tasks, experiments, report, check, compare, explain, rules, doctor):
    app.add_typer(each.command)
