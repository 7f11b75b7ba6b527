"""Processes that the program starts by multiprocessing: one that trains is watched as its parent is.

A child that is forked inherits the wrapping of its start; any other is told of it beside what multiprocessing itself
tells its children. Where gradreach cannot be imported there, the child runs as it would without.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import wraps
from multiprocessing import spawn
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradreach.record.entries import Entry
from gradreach.record.schema import Outcome, Run, Step
from gradreach.record.sinks.recorder import Recorder
from gradreach.record.sinks.sqlite import SqliteSink
from gradreach.record.store import CHILDREN, rank_file
from gradreach.watch.launch.options import WatchOptions
from gradreach.watch.launch.program import after_import

if TYPE_CHECKING:
    from gradreach.watch.session import Session

_NEVER_TRAIN = ("torch.utils.data", "multiprocessing.resource", "multiprocessing.managers")
"""Where the code of children stands that are left alone: the workers that load data above all."""

_START: Any = BaseProcess
"""The class of all processes, whose `_bootstrap` is what each child runs."""

_ARRIVE = "try:\n from gradreach.watch.launch.children import arrive\n arrive({!r})\nexcept Exception: pass\n"


class Children:
    """Has the children of this process watched, from construction to `release`; `sessions` are those under way here,
    which a forked child inherits and takes down."""

    def __init__(self, options: WatchOptions, run: Run, sessions: list[Session]) -> None:
        self._options, self._run, self._sessions = options, run, sessions
        tell, bootstrap = self._real = (spawn.get_preparation_data, _START._bootstrap)

        @wraps(tell)
        def get_preparation_data(*args: Any, **kwargs: Any) -> Any:
            return {**tell(*args, **kwargs), "gradreach": _Arrival(self._options, self._run)}

        @wraps(bootstrap)
        def _bootstrap(process: BaseProcess, *args: Any, **kwargs: Any) -> Any:
            if _is_left_alone(process):
                return bootstrap(process, *args, **kwargs)
            return self._watched(lambda: bootstrap(process, *args, **kwargs))

        self._ours = (get_preparation_data, _bootstrap)
        spawn.get_preparation_data, _START._bootstrap = self._ours

    def release(self) -> None:
        """Take the wrapping away, where nobody has wrapped it anew."""
        if spawn.get_preparation_data is self._ours[0]:
            spawn.get_preparation_data = self._real[0]
        if _START._bootstrap is self._ours[1]:
            _START._bootstrap = self._real[1]

    def _watched(self, bootstrap: Callable[[], Any]) -> Any:
        """Run a child, and leave its record where it trained."""
        watching = None
        with suppress(Exception):
            for inherited in self._sessions:
                inherited.close()
            watching = ChildWatch(self._options, self._run)
        code = bootstrap()
        if watching is not None:
            with suppress(Exception):
                watching.end(code)
        return code


class ChildWatch:
    """The watch over this child, from torch's import to `end`."""

    def __init__(self, options: WatchOptions, run: Run) -> None:
        self._sessions: list[Session] = []
        self._recorder = Recorder(run, [ChildSink(options.out, run)])
        after_import("torch", lambda: self._sessions.append(options.session(self._recorder)))

    def end(self, code: Any) -> None:
        """The child is over, with this exit code."""
        for session in self._sessions:
            session.close()
        self._recorder.write(Outcome("raised" if code else "finished", code, f"exit code {code}" if code else ""))
        self._recorder.close()


class ChildSink:
    """Opens its file when the child trains: most never do, and by then it is known whether it is one of several ranks
    that train together, and which."""

    def __init__(self, out: Path, run: Run) -> None:
        self._out = out
        self._run = replace(run, pid=os.getpid())
        self._waiting: list[Entry] = []
        self._sink: SqliteSink | None = None

    def write(self, entry: Entry) -> None:
        """Take in one entry."""
        if isinstance(entry, Run):
            entry = self._run = replace(self._run, device=entry.device)
        if self._sink is None and isinstance(entry, Step):
            self._sink = self._opened()
        if self._sink is None:
            self._waiting.append(entry)
        else:
            self._sink.write(entry)

    def flush(self) -> None:
        """Write out what is pending."""
        if self._sink is not None:
            self._sink.flush()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._sink is not None:
            self._sink.close()

    def _opened(self) -> SqliteSink:
        together = _together()
        folder = self._out / CHILDREN
        if together is None:
            folder = folder / f"process{os.getpid()}"
        rank, size = together or (0, 1)
        self._run = replace(self._run, rank=rank, world_size=size)
        sink = SqliteSink(rank_file(folder, rank), self._run)
        for entry in self._waiting:
            sink.write(entry)
        self._waiting.clear()
        return sink


@dataclass(frozen=True)
class _Arrival:
    """Is unpickled in a child as a few lines of Python that fail by themselves."""

    options: WatchOptions
    run: Run

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        import pickle

        return exec, (_ARRIVE.format(pickle.dumps((self.options, self.run))), {})


def arrive(told: bytes) -> None:
    """In a child that was not forked: watch it, and its own children."""
    import pickle

    options, run = pickle.loads(told)
    Children(options, run, [])


def _together() -> tuple[int, int] | None:
    """The rank of this process and the number of those that train together; None where it trains by itself."""
    distributed = getattr(sys.modules.get("torch"), "distributed", None)
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed.get_rank(), distributed.get_world_size()


def _is_left_alone(process: BaseProcess) -> bool:
    target = getattr(process, "_target", None)
    where = getattr(target, "__module__", None) or type(process).__module__
    return where.startswith(_NEVER_TRAIN)
