"""Sinks get the same entries, and one that fails takes nothing from the others."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gradreach.record import members
from gradreach.record.entries import Entry, Note
from gradreach.record.look import Look
from gradreach.record.progress import Progress
from gradreach.record.schema import NonFinite, Run, Step
from gradreach.record.sinks.memory import MemorySink
from gradreach.record.sinks.progress import ProgressSink
from gradreach.record.sinks.recorder import Recorder
from gradreach.record.sinks.sink import Destination, destinations_of_others
from gradreach.record.sinks.sqlite import SqliteSink
from gradreach.record.store import rank_file, read
from tests.records.runs import ALL
from tests.records.writing import entries_of

RUN = Run("train.py", (), "2026-01-01T00:00:00+00:00", "2.13.0", "3.11.7", "cpu")


class FailingSink:
    """Raises in one of its methods."""

    def __init__(self, method: str) -> None:
        self._method = method

    def write(self, entry: Entry) -> None:  # noqa: ARG002
        self._fail("write")

    def flush(self) -> None:
        self._fail("flush")

    def close(self) -> None:
        self._fail("close")

    def _fail(self, method: str) -> None:
        if method == self._method:
            raise ValueError("no room")


class AnotherPackage:
    """What another package may register."""

    destination = Destination("odd", lambda _folder, _run: FailingSink("flush"))


@pytest.mark.parametrize("make", ALL.values())
def test_memory_and_disk_hold_the_same_record(make, tmp_path: Path) -> None:
    record = make() if callable(make) else make
    memory = MemorySink(record.run)
    recorder = Recorder(record.run, [SqliteSink(rank_file(tmp_path), record.run), memory])
    for entry in entries_of(record):
        recorder.write(entry)
    recorder.close()
    assert repr(read(tmp_path)) == repr(memory.record) == repr(record)
    assert recorder.failures == []


@pytest.mark.parametrize("method", ["write", "flush"])
def test_a_sink_that_fails_is_left_out_and_noted(method: str) -> None:
    memory = MemorySink(RUN)
    recorder = Recorder(RUN, [FailingSink(method), memory])
    for step in range(3):
        recorder.write(Step(step, 0.1, 0))
        recorder.flush()
    recorder.close()
    assert [step.step for step in memory.record.steps] == [0, 1, 2]
    assert memory.record.notes == ("FailingSink takes no more of this run: no room",)
    assert recorder.failures == list(memory.record.notes)


def test_a_sink_that_fails_as_it_closes_is_remembered() -> None:
    memory = MemorySink(RUN)
    recorder = Recorder(RUN, [memory, FailingSink("close")])
    recorder.close()
    assert recorder.failures == ["FailingSink takes no more of this run: no room"]
    assert memory.record.notes == tuple(recorder.failures)


def test_a_note_is_written_once() -> None:
    memory = MemorySink(RUN)
    recorder = Recorder(RUN, [memory])
    for _ in range(3):
        recorder.note("so it is")
    assert memory.entries == [RUN, Note("so it is")]


def test_where_the_run_stands_is_told_at_each_flush() -> None:
    told: list[Progress] = []
    sink = ProgressSink(told.append)
    sink.write(Step(0, 0.1, 0, loss=2.0))
    sink.flush()
    sink.write(Step(1, 0.2, 0, loss=1.0))
    sink.write(Look(1, 0, 0.0))
    sink.write(NonFinite(1, 0, "loss", "nan"))
    sink.flush()
    assert [(progress.step, progress.loss) for progress in told] == [(0, 2.0), (1, 1.0)]
    assert told[-1].broke == 1


def test_other_packages_register_where_a_run_is_written_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entry = EntryPoint("odd", f"{__name__}:AnotherPackage.destination", "gradreach.sinks")
    monkeypatch.setattr(members, "entry_points", lambda **_: [entry])
    ((package, destination),) = destinations_of_others(pytest.fail)
    assert (package, destination.name) == ("unknown", "odd")
    assert isinstance(destination.open(tmp_path, RUN), FailingSink)
