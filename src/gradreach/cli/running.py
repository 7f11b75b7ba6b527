"""Commands that run something: a script under watch, a demo, a task, an experiment."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradreach.cli.arguments import ExitCode, Level, in_force
from gradreach.cli.output import CLEAN, say
from gradreach.demo import DEMOS

if TYPE_CHECKING:
    from gradreach.experiments.experiment import Form

commands = typer.Typer()


@commands.command(
    epilog="Example:  gradreach run --fail-on error train.py --epochs 3",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def run(
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
    every: Annotated[int | None, typer.Option(metavar="N", help="Watch every N-th step, whatever it costs.")] = None,
    steps: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="End the script after N backward passes.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page here, not to DIR.")] = None,
    fail_on: Annotated[
        Level | None, typer.Option("--fail-on", help="Exit with 1 on findings from this severity on.")
    ] = None,
    guard: Annotated[
        bool, typer.Option("--guard", help="Clip, skip bad steps and roll back: this changes the training.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No line on how far it is while the script runs.")
    ] = False,
) -> ExitCode:
    """Run a training script, unchanged, and report what happens to its gradients."""
    from gradreach.watch.launch.launch import WatchOptions
    from gradreach.watch.launch.program import Program

    given = list(program or ())
    if module is None and not given:
        raise typer.BadParameter("name a script, or a module after -m", param_hint="SCRIPT")
    settings = in_force()
    if budget is None:
        budget = settings.budget
    if not 0.0 < budget <= 1.0:
        raise typer.BadParameter(f"{budget} is no share of the wall time; try 0.02 for 2 %", param_hint="--budget")
    if every is not None and every < 1:
        raise typer.BadParameter(f"{every} is no number of steps; try 1 for every step", param_hint="--every")
    target = module or given.pop(0)
    name = target.rpartition(".")[2] if module else Path(target).stem
    folder = out or Path("gradreach-out") / (name or "script")
    from gradreach.cli.run_and_report import ReportOptions, run_and_report

    options = ReportOptions(json, html, fail_on.value if fail_on else None, settings)
    watching = WatchOptions(folder, budget, every, steps, guard)
    return partial(run_and_report, Program(target, tuple(given), module is not None), watching, options, quiet=quiet)


@commands.command(epilog="Example:  gradreach demo vanishing")
def demo(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help=f"One of {', '.join(DEMOS)}.")] = "text",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to record; default gradreach-out/demo-NAME.")
    ] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", min=1, help="End after N backward passes.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No line on how far it is while it runs.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Say what each one asks, and end.")] = False,
) -> ExitCode:
    """Watch a small network train, in under a minute: one for each question that people come with."""
    if listed:
        say("\n".join(f"{each.name:<10} {each.question:<36} {each.about}" for each in DEMOS.values()))
        return CLEAN
    if name not in DEMOS:
        raise typer.BadParameter(f"{name}: expected one of {', '.join(DEMOS)}", param_hint="NAME")
    from gradreach.cli.run_and_report import run_demo

    return partial(run_demo, DEMOS[name], out or Path("gradreach-out") / f"demo-{name}", steps, quiet=quiet)


@commands.command(
    epilog="Example:  gradreach tasks adding --length 200 --layer gru",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def tasks(
    program: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME [OPTIONS...]]", help="The task and its own options; NAME --help lists them."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to record; default gradreach-out/NAME.")
    ] = None,
) -> ExitCode:
    """List the tasks that the theory is taught with, or train one and watch it."""
    given = tuple(program or ())
    if not given or {"-h", "--help"} & set(given):
        from gradreach.tasks.__main__ import main as of_task

        return of_task(given)
    from gradreach.cli.run_and_report import ReportOptions, run_and_report
    from gradreach.watch.launch.launch import WatchOptions
    from gradreach.watch.launch.program import Program

    settings = in_force()
    watching = WatchOptions(out or Path("gradreach-out") / Path(given[0]).name, settings.budget)
    return partial(run_and_report, Program("gradreach.tasks", given, True), watching, ReportOptions(settings=settings))


@commands.command(epilog="Example:  gradreach experiments cliff --quick")
def experiments(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Which to run; all for every one. None: a list.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, under a minute each.")] = False,
    full: Annotated[bool, typer.Option("--full", help="The published sizes: hours to days.")] = False,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="Processes; the numbers do not depend on it.")] = 1,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", envvar="GRADREACH_DATA", exists=True, help="A folder of texts and test sets."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the numbers and the figures go.")] = Path(
        "gradreach-out/experiments"
    ),
) -> int:
    """Run what the theory claims, and set what is measured beside what is predicted."""
    from gradreach.experiments.command import listing, perform
    from gradreach.experiments.lab import Lab
    from gradreach.experiments.registry import experiments as known

    if quick and full:
        raise typer.BadParameter("takes no --full beside it: name one of the two", param_hint="--quick")
    if not names:
        say(listing())
        return CLEAN
    unknown = [name for name in names if name not in (*known(), "all")]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]}: expected all or one of {', '.join(known())}", param_hint="NAME")
    form: Form = "quick" if quick else "full" if full else "usual"
    return perform(known() if "all" in names else names, form, Lab(jobs, data=data), out, say)
