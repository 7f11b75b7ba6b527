"""What `run` and `demo` do: they watch a program, say what was seen, and leave as the program would have."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gradreach.cli.output import FOUND, USAGE
from gradreach.cli.still_working import still_working, tell
from gradreach.cli.why_unseen import why_unseen
from gradreach.demo import DEMOS, Demo
from gradreach.facts.wording import local
from gradreach.record.progress import Progress
from gradreach.record.schema import Severity
from gradreach.record.store import Unreadable, children, rank_file, ranks, read
from gradreach.report.live.live_line import live_line
from gradreach.settings import UNSET, Settings
from gradreach.watch.launch.launch import RunResult, rank, watch, world_size
from gradreach.watch.launch.options import WatchOptions
from gradreach.watch.launch.program import NotRunnable, Program, leave

if TYPE_CHECKING:
    from gradreach.report.report import Report


ASKING = "the script has ended; asking the data, some seconds"
REPORTING = "making the report, some seconds"


SPARE = 8
"""Rows of 80 columns that a demo's own words take after the summary."""


MOST_CHILDREN = 4
"""Of more processes that trained by themselves the first are named."""


@dataclass(frozen=True)
class ReportOptions:
    """What is made of the record: a JSON file, the page elsewhere than beside it, a severity that fails the run; the
    settings that it is judged by; whether the page is opened in a browser; whether all of it is said on the terminal,
    and for how many rows its last screen leaves room."""

    json: Path | None = None
    html: Path | None = None
    fail_on: Severity | None = None
    settings: Settings = UNSET
    show: bool = False
    verbose: bool = False
    spare: int = 0

    def report_of(self, file: Path) -> Report:
        """Return the report of a recording. Raises Unreadable."""
        from gradreach.report.report import Report

        return Report.of(read(file), self.settings.ignore, self.settings.thresholds)


def run_and_report(program: Program, watching: WatchOptions, options: ReportOptions, *, quiet: bool = False) -> int:
    """Run, and report to stderr (stdout is the program's own); on the way a line says where it stands, unless `quiet`.

    Returns the program's exit code; 1 where it succeeded but findings fail it, 2 where there is nothing to run.
    """
    options = replace(options, json=_absolute(options.json), html=_absolute(options.html))
    try:
        with _live_line(quiet) as progress:
            watched = watch(program, watching, progress, partial(_while, ASKING, quiet))
    except (NotRunnable, OSError) as error:
        _say(str(error))
        return USAGE
    if rank() == 0:
        drawn = random.getstate()  # rich draws from it when it is imported
        try:
            with _while(REPORTING, quiet):
                report = _report(program, watched, options)
        except KeyboardInterrupt:
            report = None
        random.setstate(drawn)
        level = options.fail_on if watched.ended.code == 0 else None
        if report is not None and level and report.conclusions.at_or_above(level):
            return FOUND
    return leave(watched.ended)


def run_demo(demo: Demo, out: Path, steps: int | None = None, *, quiet: bool = False) -> int:
    """Watch a demo's script, then say what to look at and what to try next."""
    _say(f"{demo.question} Watching {demo.script}: {demo.about}")
    code = run_and_report(
        Program(str(demo.script)), WatchOptions(out, stop_after=steps), ReportOptions(spare=SPARE), quiet=quiet
    )
    kept, promise = _promise(demo, out, cut=steps is not None)
    others = " ".join(name for name in DEMOS if name != demo.name)
    told = (
        f"what to look at: {demo.look_at}",
        promise,
        f"what to try next: gradreach run {local(str(demo.script))} {demo.options}  ({demo.then})",
        f"another question: gradreach demo NAME, one of {others}",
        "your own: gradreach run your_training_script.py",
    )
    for line in told:
        tell(line)
    return code if kept or code else FOUND


def _promise(demo: Demo, out: Path, *, cut: bool) -> tuple[bool, str]:
    """Whether the run shows what the demo is there for, and a sentence on it; a run that was `cut` short may not."""
    try:
        findings = ReportOptions().report_of(out).findings
    except (Unreadable, OSError) as error:
        return False, f"what was promised could not be checked: {error}"
    faults = sorted({finding.code for finding in findings if finding.severity != "info"})
    kept = demo.shows in {finding.code for finding in findings} if demo.shows else not faults
    wanted = f"{demo.shows} found" if demo.shows else "no error and no warning"
    if kept:
        return True, f"as promised: {wanted}"
    why = "it was cut short by --steps" if cut else "please report this, with the output of `gradreach doctor`"
    return cut, f"promised was: {wanted}; found was {', '.join(faults) or 'nothing'}: {why}"


def _while(what: str, quiet: bool) -> AbstractContextManager[None]:
    """Say what is done where it takes long, on rank 0."""
    return nullcontext() if quiet or rank() != 0 else still_working(what)


def _live_line(quiet: bool) -> AbstractContextManager[Callable[[Progress], None] | None]:
    """Show where the run stands on a live line, on rank 0."""
    if quiet or rank() != 0:
        return nullcontext()
    return live_line(alone=world_size() == 1)


def _report(program: Program, watched: RunResult, options: ReportOptions) -> Report | None:
    if watched.trouble:
        _say(watched.trouble)
    if watched.backward_passes == 0:
        _say(why_unseen(program, watched.ended, watched.asked_otherwise))
        if watched.is_followed:
            _say(f"a process that it started goes on; if that trains, {_read_later(watched.out)}")
        return None
    from gradreach.report.charts.terminal_card import console_for
    from gradreach.report.terminal import print_summary

    try:
        report = options.report_of(watched.out)
    except (Unreadable, OSError) as error:
        _say(str(error))
        return None
    page = options.html or watched.out / "report.html"
    written = _save(page, report.to_html)
    if options.json is not None:
        _save(options.json, report.to_json)
    with suppress(OSError, ValueError):  # the program may have closed stderr
        console = console_for(stderr=True)
        print_summary(
            report.conclusions, console, str(page) if written else "", verbose=options.verbose, spare=options.spare
        )
    if options.show and written:
        _open(page)
    for sentence in _other_ranks(watched.out, report, options):
        _say(sentence)
    for child in children(watched.out)[:MOST_CHILDREN]:
        _say(f"a process that it started trained too: {_read_later(child)}")
    return report


def _read_later(folder: Path) -> str:
    return f"`gradreach report {local(str(folder))}` tells of it"


def _open(page: Path) -> None:
    """Open the page in the person's browser, or say that there is none."""
    import webbrowser

    try:
        opened = webbrowser.open(page.absolute().as_uri())
    except webbrowser.Error:
        opened = False
    if not opened:
        _say(f"no browser was found to open {page}")


def _other_ranks(out: Path, report: Report, options: ReportOptions) -> list[str]:
    """What the other ranks' recordings, as far as they are written, hold beyond rank 0's."""
    mine = {finding.code for finding in report.findings}
    told = []
    for other in (number for number in ranks(out) if number != 0):
        try:
            theirs = options.report_of(rank_file(out, other)).findings
        except Unreadable as error:
            told.append(str(error))
            continue
        more = sorted({finding.code for finding in theirs if finding.severity != "info"} - mine)
        told.append(f"rank {other} " + (f"also has {', '.join(more)}: {rank_file(out, other)}" if more else "agrees"))
    return told


def _save(path: Path, content: Callable[[], str]) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content(), encoding="utf-8")
    except OSError as error:
        _say(f"cannot write {path}: {error.strerror or error}")
        return False
    return True


def _absolute(path: Path | None) -> Path | None:
    """As seen from where the command was given: the program may go elsewhere."""
    return None if path is None else path.absolute()


def _say(sentence: str) -> None:
    tell(f"gradreach: {sentence}")
