"""`gradreach run`: a program under watch from its import of torch to its end, and the record that it leaves."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import active_children
from pathlib import Path
from typing import TYPE_CHECKING

from gradreach.record.progress import Progress
from gradreach.record.schema import Outcome, Run
from gradreach.record.sinks.progress import ProgressSink
from gradreach.record.sinks.recorder import Recorder
from gradreach.record.sinks.sink import Sink, destinations_of_others
from gradreach.record.sinks.sqlite import SqliteSink
from gradreach.record.store import Unreadable, adopt_children, forget_children, rank_file, ranks, wait_for_ranks
from gradreach.watch.launch.children import Children
from gradreach.watch.launch.options import WatchOptions, flush
from gradreach.watch.launch.program import Program, ProgramEnd, after_import, execute

if TYPE_CHECKING:
    from gradreach.watch.session import Session


MOST_WAITED = 5.0
"""Seconds that rank 0 waits at the end for the other ranks' parts of the last norms, before it reports on all."""

_GUARDS = (
    "--guard changes this training: gradients are clipped where the script does not, at a threshold taken from their "
    "norms; bad steps are skipped, and spoilt weights go back to good ones"
)


@dataclass(frozen=True)
class RunResult:
    """What a watched run leaves: how the program ended, the recording's folder, and what went wrong with it.

    `asked_otherwise` says what else asked for gradients, where there was no backward pass; `is_followed`, that
    processes which the program started go on.
    """

    ended: ProgramEnd
    out: Path
    backward_passes: int
    trouble: str = ""
    asked_otherwise: str = ""
    is_followed: bool = False


def watch(
    program: Program,
    options: WatchOptions,
    told: Callable[[Progress], None] | None = None,
    at_the_end: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> RunResult:
    """Run a program under watch; `told` hears about twice a second, between two steps, where it stands.

    What is left to do when the program has ended, the last questions to the data, is done within `at_the_end()`.
    Raises NotRunnable where there is nothing to run, OSError where nothing can be written.
    """
    program.check()
    out = _writable(options.out.absolute())
    options = replace(options, out=out)
    run = describe_run(program.target, program.argv)
    recorder = _recorder(out, run, told)
    with suppress(OSError):
        forget_children(out)
    if rank() == 0:
        for stale in (number for number in ranks(out) if number >= world_size()):
            rank_file(out, stale).unlink(missing_ok=True)
    if options.guard and rank() == 0:
        print(f"gradreach: {_GUARDS}", file=sys.stderr)
    sessions: list[Session] = []

    after_import("torch", lambda: sessions.append(options.session(recorder)))
    children = Children(options, run, sessions) if options.children and world_size() == 1 else None
    began = time.perf_counter()
    ended = execute(program)
    if children is not None:
        children.release()
    count, asked_otherwise = 0, ""
    for session in sessions:
        with at_the_end():
            session.close()
        count, asked_otherwise = session.count, session.unfollowed.why()
    if options.flush_subnormals and sessions:
        flush(on=False)  # what comes after the program has them again
    is_stopped = options.stop_after is not None and count >= options.stop_after and ended.code == 0
    how = "stopped" if is_stopped else ended.how
    recorder.write(Outcome(how, ended.code, ended.error, time.perf_counter() - began))
    recorder.close()
    if rank() == 0 and world_size() > 1 and ended.code == 0:
        with at_the_end(), suppress(Exception):
            wait_for_ranks(out, MOST_WAITED)
    is_followed = children is not None and bool(active_children())
    if count == 0 and children is not None and not is_followed:
        with suppress(OSError, Unreadable):
            count = adopt_children(out)
    return RunResult(ended, out, count, "; ".join(recorder.failures), asked_otherwise, is_followed)


def _recorder(out: Path, run: Run, told: Callable[[Progress], None] | None) -> Recorder:
    """Writes to the recording's file, to every place that another package registers, and tells where the run stands.

    Raises OSError where the file cannot be made. A place of another package that cannot be opened ends in a note.
    """
    sinks: list[Sink] = [SqliteSink(rank_file(out, run.rank), run)]
    notes: list[str] = []
    for package, destination in destinations_of_others(notes.append):
        try:
            sinks.append(destination.open(out, run))
        except Exception as error:
            notes.append(f"The sink {destination.name} of {package} could not be opened: {error}.")
    if told is not None:
        sinks.append(ProgressSink(told))
    recorder = Recorder(run, sinks)
    for note in notes:
        recorder.note(note)
    return recorder


def rank() -> int:
    """This process's rank under torchrun, else 0."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """How many processes torchrun started, else 1."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def describe_run(script: str, argv: tuple[str, ...], device: str = "cpu") -> Run:
    """What is run, where, and on which torch (looked up without importing it)."""
    try:
        torch_version = version("torch")
    except PackageNotFoundError:
        torch_version = "not installed"
    return Run(
        script=script,
        argv=argv,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        torch=torch_version,
        python=platform.python_version(),
        device=device,
        world_size=world_size(),
        rank=rank(),
        pid=os.getpid(),
        host=platform.node(),
    )


def _writable(out: Path) -> Path:
    """The folder, made where it is missing, or a temporary one where it cannot be written to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            return out
    except OSError as error:
        instead = Path(tempfile.mkdtemp(prefix="gradreach-"))
        trouble = f"cannot write to {out} ({error.strerror}); the recording goes to {instead} instead"
        print(f"gradreach: {trouble}", file=sys.stderr)
        return instead
