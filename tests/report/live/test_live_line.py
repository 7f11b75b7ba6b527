"""The live line at a real pseudo-terminal and off one: it never mixes with what the script writes, nor changes it."""

from __future__ import annotations

import io
import os
import pty
import select
import sys
import textwrap
import tty
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest

from gradreach.record.progress import Progress
from gradreach.report.live import live_line as live
from gradreach.report.live.live_line import BESIDE_A_BAR, IN_A_LOG, REDRAW, live_line
from tests import forked
from tests.terminal import Screen

SOME = Progress(step=41, loss=2.31, norm=0.84)
LINE = "step 41  loss 2.31  norm 0.84"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Session:
    """stdout and stderr on one pseudo-terminal, pipe or file, the clock in hand."""

    def __init__(self, reading: int, writing: int, patch: pytest.MonkeyPatch, *, in_place: bool) -> None:
        self.fd = writing
        self.out = os.fdopen(os.dup(writing), "w", encoding="utf-8")
        self.err = os.fdopen(os.dup(writing), "w", buffering=1, encoding="utf-8")
        patch.setattr(sys, "stdout", self.out)
        patch.setattr(sys, "stderr", self.err)
        self.clock = Clock()
        self.live = live._Live(self.err, in_place=in_place, clock=self.clock)
        self._reading = reading
        self.bytes = b""

    def tell(self, after: float, progress: Progress = SOME) -> None:
        self.clock.now += after
        self.live.tell(progress)

    def read(self) -> bytes:
        """What has come through since the last time."""
        new = b""
        while select.select([self._reading], [], [], 0.05)[0]:
            new += os.read(self._reading, 65536)
        self.bytes += new
        return new

    def close(self) -> None:
        self.live.close()
        for stream in (self.out, self.err):
            with suppress(BrokenPipeError):
                stream.close()

    def rows(self) -> list[str]:
        self.read()
        return Screen().feed(self.bytes.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")).shown()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    session = Session(master, slave, monkeypatch, in_place=True)
    yield session
    session.close()
    for fd in (master, slave):
        os.close(fd)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    reading, writing = os.pipe()
    session = Session(reading, writing, monkeypatch, in_place=False)
    yield session
    session.close()
    for fd in (reading, writing):
        os.close(fd)


def test_it_stands_beneath_the_script_s_lines_and_gives_way_to_them(terminal: Session) -> None:
    print("one", file=terminal.out, flush=True)
    terminal.tell(REDRAW)
    assert terminal.rows() == ["one", LINE]
    print("two", file=terminal.err)
    assert terminal.rows() == ["one", "two"]
    terminal.tell(REDRAW)
    assert terminal.rows() == ["one", "two", LINE]
    terminal.live.close()
    assert terminal.rows() == ["one", "two"]


def test_it_is_drawn_at_most_twice_a_second(terminal: Session) -> None:
    for _ in range(20):
        terminal.tell(0.1)
    terminal.read()
    assert terminal.bytes.count(LINE.encode()) in (3, 4)


def test_a_screen_that_is_full_scrolls_and_keeps_every_line(terminal: Session) -> None:
    for number in range(60):
        print("line", number, file=terminal.out, flush=True)
        terminal.tell(REDRAW)
    assert terminal.rows() == [*(f"line {number}" for number in range(60)), LINE]


def test_past_the_streams_a_line_is_still_whole(terminal: Session) -> None:
    """From os.write, a child or C code: what comes takes the free line, and the next drawing stands beneath it."""
    terminal.tell(REDRAW)
    os.write(terminal.fd, b"from afar\r\n")
    terminal.tell(REDRAW)
    os.write(terminal.fd, b"half")
    terminal.tell(REDRAW)
    os.write(terminal.fd, b" and half\r\n")
    terminal.live.close()
    assert terminal.rows() == ["from afar", "half and half"]


def test_a_progress_bar_keeps_its_line(terminal: Session) -> None:
    for share in range(10):
        print(f"\r{share}0 %", end="", file=terminal.err, flush=True)
        terminal.tell(REDRAW)
    assert terminal.rows() == ["90 %"]
    assert b"\x1b" not in terminal.bytes
    terminal.tell(BESIDE_A_BAR)
    print("\r100 %", end="", file=terminal.err, flush=True)
    assert terminal.rows() == ["90 %", f"gradreach: {LINE}", "100 %"]


def test_a_flush_clears_the_way_for_input(terminal: Session) -> None:
    terminal.tell(REDRAW)
    terminal.err.flush()
    os.write(terminal.fd, b"name? ")
    assert terminal.rows() == ["name?"]


def test_a_narrow_terminal_cuts_the_line(terminal: Session) -> None:
    import termios

    termios.tcsetwinsize(terminal.fd, (24, 20))
    terminal.tell(REDRAW)
    assert b"\r\nstep 41\x1b8" in terminal.read()


def test_the_script_s_bytes_are_the_same(terminal: Session) -> None:
    print("plain", file=terminal.out, flush=True)
    terminal.out.buffer.write(b"raw \xff\n")
    terminal.out.buffer.flush()
    terminal.tell(REDRAW)
    with redirect_stdout(io.StringIO()) as kept:
        print("not here")
    terminal.live.close()
    print("after", file=terminal.out, flush=True)
    terminal.read()
    assert kept.getvalue() == "not here\n"
    before, _, after = terminal.bytes.partition(b"\x1bD")
    assert before == b"plain\nraw \xff\n"
    assert after.endswith(b"\x1b[Jafter\n")


def test_a_stdout_that_leads_elsewhere_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    with (tmp_path / "out").open("w") as out, os.fdopen(slave, "w", buffering=1) as err:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        line = live._Live(err, in_place=True, clock=lambda: 0.0)
        assert "write" not in vars(out.buffer.raw)
        assert "write" in vars(err.buffer.raw)
        line.close()
    os.close(master)


def test_the_streams_are_left_as_they_were(terminal: Session) -> None:
    raw = terminal.err.buffer.raw
    assert "write" in vars(raw)
    terminal.live.close()
    assert "write" not in vars(raw)
    assert "flush" not in vars(terminal.err)


def test_a_stderr_that_is_gone_or_another_s_is_left_alone(terminal: Session) -> None:
    other, entry = os.pipe()
    os.dup2(entry, terminal.err.fileno())
    terminal.tell(REDRAW)
    assert not select.select([other], [], [], 0)[0]
    terminal.err.close()
    terminal.tell(REDRAW)
    assert terminal.rows() == []
    os.close(other)
    os.close(entry)


def test_a_reader_that_is_gone_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    session = Session(reading, writing, monkeypatch, in_place=False)
    os.close(reading)
    session.tell(IN_A_LOG)
    session.close()
    os.close(writing)


def test_a_log_has_a_whole_line_each_minute(log: Session) -> None:
    log.tell(IN_A_LOG - 1)
    assert log.read() == b""
    print("pending", file=log.out)
    log.tell(1)
    log.tell(1)
    log.tell(IN_A_LOG)
    assert log.read() == f"pending\ngradreach: {LINE}\ngradreach: {LINE}\n".encode()


def test_a_log_s_unfinished_line_is_not_lengthened(log: Session) -> None:
    print("epoch 1 ", end="", file=log.err, flush=True)
    log.tell(IN_A_LOG)
    assert log.read() == f"epoch 1 \ngradreach: {LINE}\n".encode()


@pytest.mark.parametrize("gone", [None, io.StringIO()])
def test_without_a_stderr_of_its_own_there_is_none(gone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", gone)
    with live_line() as tell:
        tell(SOME)
    assert gone is None or gone.getvalue() == ""


TRAINING = """
import sys, time, torch
torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), 0.01)
def train(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        loss = model(torch.randn(4, 3)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        time.sleep(0.01)
"""


def at_a_terminal(
    tmp_path: Path, text: str, *options: str, answer: bytes = b"", **environment: str
) -> tuple[int, bytes]:
    """Exit code and screen bytes of a script under `gradreach run`, on a pseudo-terminal of its own."""
    script = tmp_path / "script.py"
    script.write_text(TRAINING + textwrap.dedent(text))
    master, slave = pty.openpty()
    command = ("-m", "gradreach", "run", "--out", tmp_path / "out", *options, script)
    env = {**os.environ, "TERM": "xterm", **environment}
    child = forked.Child(*command, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True)
    os.close(slave)
    seen = b""
    while select.select([master], [], [], 60)[0]:
        try:
            seen += os.read(master, 65536)
        except OSError:  # every end of the terminal is closed
            break
        if answer and seen.endswith(b"name? "):
            os.write(master, answer)
    os.close(master)
    return child.wait(60), seen


def before_the_summary(seen: bytes) -> list[str]:
    rows = Screen().feed(seen).shown()
    return rows[: next(i for i, row in enumerate(rows) if row.startswith("gradreach: "))]


def test_a_run_at_a_terminal(tmp_path: Path) -> None:
    code, seen = at_a_terminal(
        tmp_path,
        """
        import logging, os, subprocess
        print("start")
        train(1.5)
        logging.warning("a warning")
        train(0.8)
        print("my name is", input("name? "))
        train(0.8)
        subprocess.run(["echo", "from a child"])
        train(0.8)
        os.write(1, b"from os.write\\n")
        train(0.8)
        for share in range(4):
            print(f"\\r{share} of 3", end="", file=sys.stderr)
            train(0.3)
        print(file=sys.stderr)
        if os.fork() == 0:
            print("from a fork", flush=True)
            os._exit(0)
        os.wait()
        data = torch.utils.data.DataLoader(torch.arange(8), batch_size=4, num_workers=2)
        print("loaded", sum(int(batch.sum()) for batch in data))
        train(0.8)
        sys.exit(7)
        """,
        answer=b"Ada\n",
    )
    assert code == 7
    assert before_the_summary(seen) == [
        "start", "WARNING:root:a warning", "name? Ada", "my name is Ada", "from a child", "from os.write", "3 of 3",
        "from a fork", "loaded 28",
    ]  # fmt: skip
    assert seen.count(b"\x1b7\r\r\nstep ") >= 5


@pytest.mark.parametrize(("options", "environment"), [(["--quiet"], {}), ([], {"TERM": "dumb"})])
def test_none_is_drawn_where_it_is_not_wanted(tmp_path: Path, options: list[str], environment: dict[str, str]) -> None:
    code, seen = at_a_terminal(tmp_path, "train(1.2); print('done')", *options, **environment)
    assert code == 0
    assert b"\x1b7" not in seen
    assert before_the_summary(seen) == ["done"]


def test_a_script_that_closes_stderr_keeps_its_exit_code(tmp_path: Path) -> None:
    code, seen = at_a_terminal(tmp_path, "train(1.2); sys.stderr.close(); train(0.8); print('here'); sys.exit(3)")
    assert code == 3
    assert Screen().feed(seen).shown() == ["here"]
