"""The command line. Results go to stdout, all else to stderr; commands that read a recording never import torch.

A command returns its exit code, or a function that `main` calls once the parser is done: what runs a script must not
stand under the parser's handling of exceptions, exits and interrupts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.main import get_command

if TYPE_CHECKING:
    from gradreach.experiments.experiment import Form
    from gradreach.record.schema import Finding
    from gradreach.report import Report

CLEAN, FOUND, USAGE, UNREADABLE = 0, 1, 2, 3
"""Exit codes: nothing found, findings at or above the level, wrong usage, a recording that cannot be read."""

Done = int | Callable[[], int]

app = typer.Typer(
    name="gradreach",
    help="How far does your gradient reach, how far does your data need it to, and what closes the difference?",
    epilog="Example:  gradreach run train.py",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


class Format(StrEnum):
    """How a result is printed."""

    text = "text"
    json = "json"


class Level(StrEnum):
    """The severity from which on a finding counts."""

    error = "error"
    warning = "warning"
    info = "info"


def main(args: Sequence[str] | None = None) -> int:
    """The console command: parse `args` (default: the process's own), act, and return the exit code."""
    try:
        done: Done | None = get_command(app).main(
            None if args is None else list(args), prog_name="gradreach", standalone_mode=False
        )
    except _UsageError as error:
        error.show()  # type: ignore[attr-defined]
        return USAGE
    except BrokenPipeError:  # the reader of our output is gone, as in `gradreach report DIR | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLEAN
    return done() if callable(done) else int(done or CLEAN)


# Commands that run a script: each returns the function that does it.


@app.command(
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
    budget: Annotated[float, typer.Option(help="Share of the wall time that watching may cost.")] = 0.02,
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
) -> Done:
    """Run a training script, unchanged, and report what happens to its gradients."""
    from gradreach.observation.launch import Watching
    from gradreach.observation.program import Program

    given = list(program or ())
    if module is None and not given:
        raise typer.BadParameter("name a script, or a module after -m", param_hint="SCRIPT")
    if not 0.0 < budget <= 1.0:
        raise typer.BadParameter(f"{budget} is no share of the wall time; try 0.02 for 2 %", param_hint="--budget")
    if every is not None and every < 1:
        raise typer.BadParameter(f"{every} is no number of steps; try 1 for every step", param_hint="--every")
    target = module or given.pop(0)
    name = target.rpartition(".")[2] if module else Path(target).stem
    folder = out or Path("gradreach-out") / (name or "script")
    from gradreach.run import Wanted, run_and_report

    wanted = Wanted(json, html, fail_on.value if fail_on else None)
    watching = Watching(folder, budget, every, steps, guard)
    return partial(run_and_report, Program(target, tuple(given), module is not None), watching, wanted)


@app.command(epilog="Example:  gradreach demo")
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to record.")] = Path("gradreach-out/demo"),
    steps: Annotated[int | None, typer.Option(metavar="N", min=1, help="End after N backward passes.")] = None,
) -> Done:
    """Watch a small tanh RNN learn the English of Python's own manual: the main job, in a minute."""
    from gradreach.run import run_demo

    return partial(run_demo, out, steps)


@app.command(
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
) -> Done:
    """List the tasks that the theory is taught with, or train one and watch it."""
    given = tuple(program or ())
    if not given or {"-h", "--help"} & set(given):
        from gradreach.tasks.__main__ import main as of_task

        return of_task(given)
    from gradreach.observation.launch import Watching
    from gradreach.observation.program import Program
    from gradreach.run import Wanted, run_and_report

    watching = Watching(out or Path("gradreach-out") / Path(given[0]).name)
    return partial(run_and_report, Program("gradreach.tasks", given, True), watching, Wanted())


@app.command(epilog="Example:  gradreach experiments cliff --quick")
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
    from gradreach.experiments.registry import NAMES

    if quick and full:
        raise typer.BadParameter("takes no --full beside it: name one of the two", param_hint="--quick")
    if not names:
        _say(listing())
        return CLEAN
    unknown = [name for name in names if name not in (*NAMES, "all")]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]}: expected all or one of {', '.join(NAMES)}", param_hint="NAME")
    form: Form = "quick" if quick else "full" if full else "usual"
    return perform(NAMES if "all" in names else names, form, Lab(jobs, data=data), out, _say)


# Commands that read a recording.

Recording = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder that a run was recorded in, or one of its .sqlite files.")
]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="CODE", help="Leave this rule out; repeatable.")]


@app.command(epilog="Example:  gradreach report gradreach-runs/last --html report.html")
def report(
    folder: Recording,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page here; default: DIR/report.html.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the fields here, as JSON.")] = None,
    format: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.text,
    ignore: Ignore = None,
) -> int:
    """Say what a recording holds, in words and as one HTML page."""
    made = _load(folder, ignore)
    if isinstance(made, int):
        return made
    if (html and not _write(html, made.to_html)) or (json and not _write(json, made.to_json)):
        return USAGE
    if format is Format.json:
        sys.stdout.write(made.to_json())
        return CLEAN
    from gradreach.report.terminal import console_for, print_summary

    page = html or (None if ignore else _page_beside(folder, made))
    print_summary(made, console_for(), str(page or ""))
    return CLEAN


@app.command(epilog="Example:  gradreach check gradreach-runs/last --fail-on warning")
def check(
    folder: Recording,
    fail_on: Annotated[Level, typer.Option("--fail-on", help="Exit with 1 from this severity on.")] = Level.error,
    format: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.text,
    ignore: Ignore = None,
) -> int:
    """Exit with 1 where a recording holds findings at or above a level, for use in scripts and CI."""
    made = _load(folder, ignore)
    if isinstance(made, int):
        return made
    from gradreach.report.verdict import ORDER, by_severity

    levels = ORDER[: ORDER.index(fail_on.value) + 1]
    failing = [finding for finding in by_severity(made.findings) if finding.severity in levels]
    if format is Format.json:
        from gradreach.report.document import checked, to_json

        sys.stdout.write(to_json(checked(fail_on.value, failing)))
    else:
        _say(
            "\n".join(
                [*map(_line, failing), f"{len(failing)} at or above {fail_on.value}, {len(made.findings)} in all"]
            )
        )
    return FOUND if failing else CLEAN


@app.command(epilog="Example:  gradreach explain GR101")
def explain(code: Annotated[str, typer.Argument(metavar="CODE", help="A rule's code, as in a finding.")]) -> int:
    """Say what a rule looks for, why it matters, when it does not, and what to do."""
    from gradreach.rules.registry import RULES

    rule = RULES.get(code.upper())
    if rule is None:
        return _unknown(code)
    from gradreach.report.explanation import as_text

    _say(as_text(rule))
    return CLEAN


@app.command(epilog="Example:  gradreach rules")
def rules() -> int:
    """List every rule: code, severities, title."""
    from gradreach.rules.registry import RULES

    width = max(len("/".join(rule.severities)) for rule in RULES.values())
    _say("\n".join(f"{rule.code}  {'/'.join(rule.severities):<{width}}  {rule.title}" for rule in RULES.values()))
    return CLEAN


def _version(asked: bool) -> bool:
    if asked:
        from importlib.metadata import version

        _say(f"gradreach {version('gradreach')}")
        raise typer.Exit
    return asked


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


def _load(folder: Path, ignore: Sequence[str] | None) -> Report | int:
    """The report of a recording, or the exit code where there is none to be had."""
    from gradreach.record.store import Unreadable, read
    from gradreach.report import Report
    from gradreach.rules.registry import RULES

    codes = [code.upper() for code in ignore or ()]
    for code in codes:
        if code not in RULES:
            return _unknown(code)
    try:
        return Report.of(read(folder), codes)
    except Unreadable as error:
        _complain(str(error))
        return UNREADABLE


def _page_beside(recording: Path, made: Report) -> Path | None:
    """The page in the recording's folder, drawn anew where the recording has moved on since, or never had one."""
    folder = recording if recording.is_dir() else recording.parent
    page = folder / "report.html"
    recorded = [recording] if recording.is_file() else list(folder.glob("rank*.sqlite*"))
    if page.is_file() and all(page.stat().st_mtime >= file.stat().st_mtime for file in recorded):
        return page
    return page if _write(page, made.to_html) else None


def _write(path: Path, content: Callable[[], str]) -> bool:
    try:
        path.write_text(content(), encoding="utf-8")
    except OSError as error:
        _complain(f"cannot write {path}: {error.strerror or error}")
        return False
    return True


def _line(finding: Finding) -> str:
    from gradreach.report import words

    return f"{finding.severity} {finding.code} {finding.title}, {words.of_finding(finding)}: {finding.because}"


def _unknown(code: str) -> int:
    from difflib import get_close_matches

    from gradreach.rules.registry import RULES

    near = get_close_matches(code.upper(), RULES, n=3, cutoff=0.5)
    near = near or [rule.code for rule in RULES.values() if code.lower() in rule.title.lower()][:3]
    hint = f"did you mean {' or '.join(near)}?" if near else "`gradreach rules` lists them."
    _complain(f"no rule has the code {code}; {hint}")
    return USAGE


def _say(text: str) -> None:
    """Print a result, in ASCII where stdout holds nothing else."""
    from gradreach.report import words

    text = words.printable(text)
    print(text if (sys.stdout.encoding or "").lower().startswith("utf") else words.to_ascii(text))


def _complain(text: str) -> None:
    from gradreach.report import words

    print(words.to_ascii(words.printable(f"gradreach: {text}")), file=sys.stderr)
