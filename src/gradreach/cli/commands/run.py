"""`gradreach run`: a script or module under watch."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gradreach.cli.arguments import ExitCode, Level, in_force

command = typer.Typer()


@command.command(
    epilog="Example:  gradreach run --fail-on error train.py --epochs 3",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def run(
    context: typer.Context,
    program: Annotated[
        list[str] | None, typer.Argument(metavar="SCRIPT [ARGS...]", help="The script and its own arguments.")
    ] = None,
    module: Annotated[str | None, typer.Option("-m", metavar="MODULE", help="Run a module, as python -m does.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to record; default gradreach-out/SCRIPT.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(help="Share of the wall time that watching may cost; default 0.02.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Memory a look may take, as 500MB; default a quarter.")
    ] = None,
    every: Annotated[int | None, typer.Option(metavar="N", help="Watch every N-th step, whatever it costs.")] = None,
    steps: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="End the script after N backward passes.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page here, not to DIR.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser at the end.")] = False,
    fail_on: Annotated[
        Level | None, typer.Option("--fail-on", help="Exit with 1 on findings from this severity on.")
    ] = None,
    guard: Annotated[
        bool, typer.Option("--guard", help="Clip, skip bad steps and roll back: this changes the training.")
    ] = False,
    flush_subnormals: Annotated[
        bool, typer.Option("--flush-subnormals", help="Take subnormal numbers for 0: faster on some CPUs (GR320).")
    ] = False,
    no_children: Annotated[
        bool, typer.Option("--no-children", help="Leave alone the processes that the script starts to train in.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No line on how far it is while the script runs.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say all: grounds, measurements, checks that were not made.")
    ] = False,
) -> ExitCode:
    """Run a training script under watch, and say what is wrong.

    The script is not changed, and neither is its training.
    """
    from gradreach.watch.launch.options import WatchOptions
    from gradreach.watch.launch.program import Program

    given = list(program or ())
    if module is None and not given:
        raise typer.BadParameter("name a script, or a module after -m", param_hint="SCRIPT")
    if module is None and given[0].startswith("-"):
        context.fail(_unknown(given[0], context))
    settings = in_force()
    if budget is None:
        budget = settings.budget
    if not 0.0 < budget <= 1.0:
        raise typer.BadParameter(f"{budget} is no share of the wall time; try 0.02 for 2 %", param_hint="--budget")
    if every is not None and every < 1:
        raise typer.BadParameter(f"{every} is no number of steps; try 1 for every step", param_hint="--every")
    room = settings.memory if memory is None else _bytes(memory)
    target = module or given.pop(0)
    name = target.rpartition(".")[2] if module else Path(target).stem
    folder = out or Path("gradreach-out") / (name or "script")
    from gradreach.cli.run_and_report import ReportOptions, run_and_report

    options = ReportOptions(json, html, fail_on.value if fail_on else None, settings, show=show, verbose=verbose)
    watching = WatchOptions(folder, budget, every, steps, guard, flush_subnormals, room, not no_children)
    return partial(run_and_report, Program(target, tuple(given), module is not None), watching, options, quiet=quiet)


def _bytes(memory: str) -> int:
    from gradreach.record.byte_sizes import bytes_of

    try:
        return bytes_of(memory)
    except ValueError:
        raise typer.BadParameter(f"{memory} is no size of memory; try 500MB", param_hint="--memory") from None


def _unknown(word: str, context: typer.Context) -> str:
    """What stands before the script and is no option, with the options that it may stand for."""
    from difflib import get_close_matches

    option = word.partition("=")[0]
    known = [name for each in context.command.params for name in each.opts if name.startswith("-")]
    near = get_close_matches(option, known, n=2, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "`gradreach run --help` lists them."
    return f"gradreach run has no option {option}; {hint} The script's own options stand after its name."
