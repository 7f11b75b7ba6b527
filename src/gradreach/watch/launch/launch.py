"""`gradreach run`: a program under watch from its import of torch to its end, and the record that it leaves."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from gradreach.record.progress import Progress
from gradreach.record.schema import Outcome, Run
from gradreach.record.store import Writer, rank_file, ranks
from gradreach.watch.launch.program import Ended, Program, after_import, execute

if TYPE_CHECKING:
    from gradreach.watch.session import Session


_GUARDS = (
    "--guard changes this training: gradients are clipped where the script does not, at a threshold taken from their "
    "norms; bad steps are skipped, and spoilt weights go back to good ones"
)


@dataclass(frozen=True)
class Watching:
    """How to watch: the share of the wall time it may cost, or each n-th step; where to end; where to write.

    `guard`: stand before every optimizer's step as well, and so change the training where it goes wrong.
    """

    out: Path
    budget: float = 0.02
    every: int | None = None
    stop_after: int | None = None
    guard: bool = False


@dataclass(frozen=True)
class Watched:
    """What a watched run leaves: how the program ended, the recording's folder, and what went wrong with it."""

    ended: Ended
    out: Path
    backward_passes: int
    trouble: str = ""


def watch(program: Program, watching: Watching, told: Callable[[Progress], None] | None = None) -> Watched:
    """Run a program under watch; `told` hears about twice a second, between two steps, where it stands.

    Raises NotRunnable where there is nothing to run, OSError where nothing can be written.
    """
    program.check()
    out = _writable(watching.out.absolute())
    writer = Writer(rank_file(out, rank()), describe_run(program.target, program.argv))
    if rank() == 0:
        for stale in (number for number in ranks(out) if number >= world_size()):
            rank_file(out, stale).unlink(missing_ok=True)
    if watching.guard and rank() == 0:
        print(f"gradreach: {_GUARDS}", file=sys.stderr)
    sessions: list[Session] = []

    def torch_is_there() -> None:
        from gradreach.watch.budget import Budget
        from gradreach.watch.session import Session

        budget = Budget(watching.budget, watching.every)
        sessions.append(Session(writer, budget, stop_after=watching.stop_after, guard=watching.guard, told=told))

    after_import("torch", torch_is_there)
    began = time.perf_counter()
    ended = execute(program)
    count = 0
    stopped = False
    for session in sessions:
        session.close()
        count = session.count
        stopped = watching.stop_after is not None and count >= watching.stop_after and ended.code == 0
    how = "stopped" if stopped else ended.how
    writer.outcome(Outcome(how, ended.code, ended.error, time.perf_counter() - began))
    writer.close()
    return Watched(ended, out, count, writer.failure or "")


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
    """The folder itself, or a temporary one where it cannot be written to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            return out
    except OSError as error:
        instead = Path(tempfile.mkdtemp(prefix="gradreach-"))
        trouble = f"cannot write to {out} ({error.strerror}); the recording goes to {instead} instead"
        print(f"gradreach: {trouble}", file=sys.stderr)
        return instead
