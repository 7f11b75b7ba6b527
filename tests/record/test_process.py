"""Whether the process of a recording goes on: ours, one that is gone, one of the same number, one elsewhere."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gradreach.record.process import CLOCK_SLACK, still_running
from gradreach.record.schema import Outcome, Record
from gradreach.watch.launch.launch import describe_run

HERE = Record(describe_run("train.py", ()))


def test_this_process_goes_on() -> None:
    assert still_running(HERE) is True


def test_an_outcome_ends_it() -> None:
    assert still_running(replace(HERE, outcome=Outcome("finished", 0))) is False


@pytest.mark.parametrize("run", [replace(HERE.run, host="elsewhere"), replace(HERE.run, pid=0, host="")])
def test_elsewhere_cannot_be_seen(run) -> None:
    assert still_running(Record(run)) is None


def test_a_process_that_is_gone_or_left_unburied() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    record = Record(replace(HERE.run, pid=child.pid))
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    if platform.system() == "Linux":
        assert still_running(record) is False
    child.wait()
    assert still_running(record) is False


@pytest.mark.skipif(platform.system() != "Linux", reason="start times are read from /proc")
def test_a_number_taken_over_by_a_later_process() -> None:
    for earlier, expected in ((CLOCK_SLACK / 2, True), (30 * 86400.0, False)):
        started = datetime.now(UTC) - timedelta(seconds=earlier)
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        run = replace(HERE.run, pid=child.pid, started=started.isoformat(timespec="seconds"))
        assert still_running(Record(run)) is expected
        child.communicate()
