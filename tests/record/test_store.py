"""The record survives what happens to files: round trip, kill, damage, strangers, other versions, read-only folders."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gradreach.record.entries import SiteEntry
from gradreach.record.look import Look
from gradreach.record.schema import NonFinite, Outcome, Overhead, Record, Step
from gradreach.record.seen.loop import MissedLoad, SpentLoader
from gradreach.record.sinks.recorder import Recorder
from gradreach.record.sinks.sqlite import FORMAT, SqliteSink
from gradreach.record.store import Unreadable, rank_file, ranks, read
from tests.records.parts import dependency, free, run
from tests.records.runs import ALL
from tests.records.writing import write

RUN = run("train.py", "--lr", "1")


@pytest.mark.parametrize("name", ALL)
def test_round_trip(name: str, tmp_path: Path) -> None:
    write(tmp_path, ALL[name])
    assert repr(read(tmp_path)) == repr(ALL[name])
    assert [file.name for file in tmp_path.iterdir()] == ["rank0.sqlite"]


def test_what_few_runs_have_is_kept(tmp_path: Path) -> None:
    missed = MissedLoad("net", "a.py:3", 0, 8, 0, prefix="module.", fits=8)
    spent = SpentLoader("a.py:7", 3, 2, 2, 1, 1, "sampler", "Kept", False)
    kept = {"missed_loads": (missed,), "spent_loaders": (spent,)}
    made = Record(RUN, steps=(Step(0, 0.1, 0),), sites=("a.py:1",), **kept)
    write(tmp_path, made)
    assert read(tmp_path) == made


def test_the_last_test_of_each_module_and_line_stays(tmp_path: Path) -> None:
    tests = [dependency(free(1), module=m, site=s % 2, step=s) for m in ("a", "b") for s in range(4)]
    sink = SqliteSink(rank_file(tmp_path), RUN)
    for site in ("x.py:1", "x.py:2"):
        sink.write(SiteEntry(site))
    for test in tests:
        sink.write(test)
    sink.close()
    assert read(tmp_path).dependency == tuple(test for test in tests if test.step >= 2)


def test_what_is_not_finite_comes_back_as_it_was(tmp_path: Path) -> None:
    step = Step(0, 0.1, 0, loss=float("nan"), norm=float("inf"), pre_clip=float("-inf"))
    write(tmp_path, Record(RUN, steps=(step,), sites=("a.py:1",)))
    (again,) = read(tmp_path).steps
    assert repr(again) == repr(step)


def test_a_run_that_goes_on_is_read_as_far_as_it_is_written(tmp_path: Path) -> None:
    sink = SqliteSink(rank_file(tmp_path), RUN)
    sink.write(SiteEntry("a.py:1"))
    sink.write(Step(0, 0.1, 0))
    assert read(tmp_path).steps == ()
    sink.flush()
    sink.write(Step(1, 0.2, 0))
    assert read(tmp_path).steps == (Step(0, 0.1, 0),)
    assert read(tmp_path).outcome == Outcome()
    sink.close()
    assert len(read(tmp_path).steps) == 2


def test_a_process_killed_while_writing_leaves_what_was_flushed(tmp_path: Path) -> None:
    code = f"""
import os, signal
from gradreach.record.sinks.sqlite import SqliteSink
from gradreach.record.schema import Run, Step
sink = SqliteSink(__import__("pathlib").Path({str(rank_file(tmp_path))!r}), Run("s", (), "t", "2", "3", "cpu"))
for step in range(1000):
    sink.write(Step(step, 0.0, 0))
    if step % 10 == 9:
        sink.flush()
sink.write(Step(1000, 0.0, 0))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert len(read(tmp_path).steps) == 1000


def test_the_device_is_told_when_it_is_known(tmp_path: Path) -> None:
    recorder = Recorder(RUN, [SqliteSink(rank_file(tmp_path), RUN)])
    recorder.device("cpu")
    recorder.device("cuda")
    recorder.close()
    assert read(tmp_path).run == replace(RUN, device="cuda")


def test_an_older_recording_in_the_same_place_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, Record(RUN, steps=(Step(0, 0.1, 0),)))
    write(tmp_path, Record(RUN))
    assert read(tmp_path).steps == ()


def _says(path: Path, part: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(path)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_there(tmp_path: Path) -> None:
    _says(tmp_path, "no recording in")
    _says(tmp_path / "no", "does not exist")


@pytest.mark.parametrize("content", [b"", b"hello", b"SQLite format 3\x00" + b"\x00" * 4080])
def test_a_file_that_is_no_recording(content: bytes, tmp_path: Path) -> None:
    rank_file(tmp_path).write_bytes(content)
    _says(tmp_path, "recording of gradreach")


def test_a_strangers_database(tmp_path: Path) -> None:
    connection = sqlite3.connect(rank_file(tmp_path))
    connection.execute("CREATE TABLE rows (id INTEGER, kind TEXT, data BLOB)")
    connection.close()
    _says(tmp_path, "no recording of gradreach")


@pytest.mark.parametrize(("version", "word"), [(FORMAT + 1, "newer"), (FORMAT - 1, "older")])
def test_another_version(version: int, word: str, tmp_path: Path) -> None:
    write(tmp_path, Record(RUN))
    connection = sqlite3.connect(rank_file(tmp_path))
    connection.execute(f"PRAGMA user_version={version}")
    connection.close()
    _says(tmp_path, word)


def test_damage_in_the_middle(tmp_path: Path) -> None:
    file = rank_file(tmp_path)
    write(tmp_path, Record(RUN, steps=tuple(Step(n, 0.1, 0) for n in range(3000))))
    data = bytearray(file.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 6000] = b"\xff" * 6000
    file.write_bytes(bytes(data))
    _says(tmp_path, str(file))


def test_a_row_that_does_not_decode(tmp_path: Path) -> None:
    file = rank_file(tmp_path)
    write(tmp_path, Record(RUN))
    connection = sqlite3.connect(file)
    connection.execute("INSERT INTO rows (kind, data) VALUES ('look', x'00')")
    connection.commit()
    connection.close()
    _says(tmp_path, "damaged inside")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        SqliteSink(rank_file(tmp_path / "file" / "out"), RUN)


def test_a_disk_that_fails_is_remembered_and_never_raises(tmp_path: Path) -> None:
    sink = SqliteSink(rank_file(tmp_path), RUN)
    recorder = Recorder(RUN, [sink])
    sink._connection.execute("PRAGMA query_only=1")  # every later write fails, as on a disk that filled up
    for n in range(3):
        recorder.write(Step(n, 0.0, 0))
        recorder.write(NonFinite(n, 0, "loss", "nan"))
        recorder.flush()
    recorder.close()
    (failure,) = recorder.failures
    assert "the recording stopped" in failure
    assert read(tmp_path).steps == ()


def test_ranks(tmp_path: Path) -> None:
    for rank in (0, 2, 10):
        write(tmp_path, Record(replace(RUN, rank=rank)))
    (tmp_path / "rankx.sqlite").write_text("")
    assert ranks(tmp_path) == (0, 2, 10)
    assert read(rank_file(tmp_path, 2)).run.rank == 2


def test_a_finished_recording_is_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    write(tmp_path, Record(RUN, looks=(Look(0, 0, 0.0),), overhead=Overhead(0.02, 0.01, 0.02, 1.0)))
    rank_file(tmp_path).chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        assert read(tmp_path).looks
    finally:
        tmp_path.chmod(0o700)
