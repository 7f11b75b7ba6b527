"""What `gradreach run` and `gradreach demo` do: watch a program, say what was seen, leave as the program would have."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gradreach.observation.launch import Watched, Watching, rank, watch
from gradreach.observation.program import NotRunnable, Program, leave
from gradreach.record.store import Unreadable, rank_file, ranks, read

if TYPE_CHECKING:
    from gradreach.report import Report


@dataclass(frozen=True)
class Wanted:
    """What is to be made of the record: a JSON file, the page elsewhere than beside it, a level that fails the run."""

    json: Path | None = None
    html: Path | None = None
    fail_on: str | None = None


def run_and_report(program: Program, watching: Watching, wanted: Wanted) -> int:
    """Run, and report to stderr (stdout is the program's own).

    Returns the program's exit code; 1 where it succeeded but findings fail it, 2 where there is nothing to run.
    """
    wanted = Wanted(_absolute(wanted.json), _absolute(wanted.html), wanted.fail_on)
    try:
        watched = watch(program, watching)
    except (NotRunnable, OSError) as error:
        _say(str(error))
        return 2
    if rank() == 0:
        drawn = random.getstate()  # rich draws from it when it is imported
        try:
            report = _report(watched, wanted)
        except KeyboardInterrupt:
            report = None
        random.setstate(drawn)
        if report is not None and wanted.fail_on and watched.ended.code == 0 and _fails(report, wanted.fail_on):
            return 1
    return leave(watched.ended)


def run_demo(out: Path, steps: int | None = None) -> int:
    """Watch the demo's script, then say what to try next."""
    script = Path(__file__).parent / "demo" / "char_rnn.py"
    _say(f"watching {script}: a tanh RNN learns to predict the next character of English text")
    code = run_and_report(Program(str(script)), Watching(out, stop_after=steps), Wanted())
    for line in (
        "what to try next:",
        f"  open {out / 'report.html'} in a browser",
        "  gradreach explain GR101        what a short reach means, and when it harms",
        f"  gradreach run {script} --length 25        a shorter window: what is lost?",
        "  gradreach run your_training_script.py",
    ):
        print(line, file=sys.stderr)
    return code


def _report(watched: Watched, wanted: Wanted) -> Report | None:
    if watched.trouble:
        _say(watched.trouble)
    if watched.backward_passes == 0:
        _say("no backward pass was seen: the program called neither Tensor.backward nor torch.autograd.backward")
        return None
    from gradreach.report import Report
    from gradreach.report.terminal import console_for, print_summary

    try:
        report = Report.of(read(watched.out))
    except (Unreadable, OSError) as error:
        _say(str(error))
        return None
    page = wanted.html or watched.out / "report.html"
    written = _save(page, report.to_html)
    if wanted.json is not None:
        _save(wanted.json, report.to_json)
    print_summary(report, console_for(stderr=True), str(page) if written else "")
    for sentence in _other_ranks(watched.out, report):
        _say(sentence)
    return report


def _other_ranks(out: Path, report: Report) -> list[str]:
    """What the other ranks' recordings, as far as they are written, hold beyond rank 0's."""
    from gradreach.report import Report

    mine = {finding.code for finding in report.findings}
    told = []
    for other in (number for number in ranks(out) if number != 0):
        try:
            theirs = Report.of(read(rank_file(out, other))).findings
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


def _fails(report: Report, level: str) -> bool:
    from gradreach.report.verdict import ORDER

    return any(finding.severity in ORDER[: ORDER.index(level) + 1] for finding in report.findings)


def _absolute(path: Path | None) -> Path | None:
    """As seen from where the command was given: the program may go elsewhere."""
    return None if path is None else path.absolute()


def _say(sentence: str) -> None:
    print(f"gradreach: {sentence}", file=sys.stderr)
