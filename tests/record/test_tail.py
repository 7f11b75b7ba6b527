"""Reading on in a file that is being written gives each row once, whoever replaces the file meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gradreach.record.look import Look
from gradreach.record.schema import NonFinite, Outcome, Step
from gradreach.record.sinks.sqlite import SqliteSink
from gradreach.record.store import Tail, Unreadable, rank_file, read
from tests.records.parts import run

RUN = replace(run(), pid=1)


def test_each_row_comes_once(tmp_path: Path) -> None:
    file = rank_file(tmp_path)
    tail = Tail(file)
    sink = SqliteSink(file, RUN)
    first = tail.more()
    assert first is not None
    assert (first.run, first.steps) == (RUN, ())
    assert tail.more() is None
    seen: list[int] = []
    for start in (0, 3, 6):
        for step in range(start, start + 3):
            sink.write(Step(step, 0.0, 0))
        sink.write(Look(start, 0, 0.0))
        sink.write(NonFinite(start, 0, "loss", "nan"))
        sink.flush()
        more = tail.more()
        assert more is not None
        seen += [step.step for step in more.steps]
        assert [each.step for each in more.looks] == [each.step for each in more.nonfinite] == [start]
        assert tail.more() is None
    sink.write(Outcome("finished", 0))
    sink.close()
    last = tail.more()
    assert last is not None
    assert last.outcome.how == "finished"
    assert seen == [step.step for step in read(tmp_path).steps] == list(range(9))


def test_another_run_in_its_place_is_read_from_its_start(tmp_path: Path) -> None:
    file = rank_file(tmp_path)
    tail = Tail(file)
    for pid in (1, 2):
        sink = SqliteSink(file, replace(RUN, pid=pid))
        sink.write(Step(pid, 0.0, 0))
        sink.flush()
        more = tail.more()
        assert more is not None
        assert (more.run.pid, [step.step for step in more.steps]) == (pid, [pid])
        sink.close()


def test_what_is_not_there_or_not_ours_is_unreadable(tmp_path: Path) -> None:
    missing, foreign = rank_file(tmp_path, 0), rank_file(tmp_path, 1)
    foreign.write_text("no database, and long enough to be taken for one by its size " * 20)
    for file in (missing, foreign):
        with pytest.raises(Unreadable):
            Tail(file).more()
