"""Following a run from another process: its line, its page, its end, its death, and Ctrl-C."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.entries import SiteEntry
from gradreach.record.process import still_running
from gradreach.record.schema import Outcome, Step
from gradreach.record.sinks.sqlite import SqliteSink
from gradreach.record.store import rank_file, read
from gradreach.report.conclusions import Conclusions
from gradreach.report.live import follow as following
from tests.records.parts import run

RUN = replace(run(), pid=os.getpid(), host=platform.node())


class Elsewhere:
    """Writes the run while the follower sleeps, one scene a nap."""

    def __init__(self, folder: Path, *scenes: str) -> None:
        self._folder = folder
        self._scenes = list(scenes)
        self._steps = 0
        self.sink: SqliteSink | None = None

    def __call__(self, _seconds: float) -> None:
        scene = self._scenes.pop(0)
        if scene == "begin":
            self.sink = SqliteSink(rank_file(self._folder), RUN)
            self.sink.write(SiteEntry("train.py:1"))
        elif scene == "interrupt":
            raise KeyboardInterrupt
        assert self.sink is not None or scene == "nothing"
        if self.sink is not None:
            self.sink.write(Step(self._steps, 0.1, 0, loss=1.0, norm=1.0))
            self._steps += 1
            if scene == "end":
                self.sink.write(Outcome("finished", 0))
                self.sink.close()
                self.sink = None
            else:
                self.sink.flush()


@pytest.fixture(autouse=True)
def long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of RUN is this one, which began after the run that it plays."""
    monkeypatch.setattr(following, "still_running", lambda record: record.outcome.how == "unknown")


def follow(folder: Path, monkeypatch: pytest.MonkeyPatch, *scenes: str) -> int:
    monkeypatch.setattr(following.time, "sleep", Elsewhere(folder, *scenes))
    return following.follow(folder, lambda: Conclusions.of(Facts(read(folder))))


def test_it_waits_for_the_run_and_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(tmp_path / "out", monkeypatch, "nothing", "begin", "go", "end", "nothing") == 0
    said = capsys.readouterr()
    assert said.out.startswith("gradreach: train.py, 3 steps")
    assert said.out.endswith(f"report: {tmp_path / 'out' / 'report.html'}\n")
    assert "waiting for `gradreach run`" in said.err.splitlines()[0]
    assert "following train.py" in said.err.splitlines()[1]
    assert [file.name for file in (tmp_path / "out").iterdir() if file.suffix != ".sqlite"] == ["report.html"]


def test_ctrl_c_leaves_with_the_summary_of_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(tmp_path, monkeypatch, "begin", "go", "interrupt") == 130
    assert capsys.readouterr().out.startswith("gradreach: train.py, 2 steps")


def test_ctrl_c_before_there_is_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert follow(tmp_path, monkeypatch, "nothing", "interrupt") == 130


def test_a_stranger_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rank_file(tmp_path).write_text("no database, and long enough to be taken for one by its size " * 20)
    monkeypatch.setattr(following, "PATIENCE", 0.0)
    monkeypatch.setattr(following.time, "sleep", lambda _seconds: None)
    assert following.follow(tmp_path, lambda: 3) == 3
    assert "rank0.sqlite" in capsys.readouterr().err


TRAINING = """
import time, torch
model = torch.nn.Linear(3, 1)
while True:
    model(torch.ones(2, 3)).sum().backward()
    time.sleep(0.02)
"""


def test_a_run_that_is_killed_is_told_from_one_that_goes_on(tmp_path: Path) -> None:
    script, out = tmp_path / "train.py", tmp_path / "out"
    script.write_text(TRAINING)
    started = [sys.executable, "-m", "gradreach"]
    run = subprocess.Popen([*started, "run", "--out", str(out), str(script)], stderr=subprocess.DEVNULL)
    watcher = subprocess.Popen([*started, "report", str(out), "--follow"], stdout=subprocess.PIPE, text=True)
    try:
        while not (out / "report.html").is_file():
            assert run.poll() is None
            time.sleep(0.1)
        assert watcher.poll() is None
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    said, _ = watcher.communicate(timeout=60)
    assert watcher.returncode == 0
    assert said.startswith("gradreach: ")
    assert still_running(read(out)) is False
