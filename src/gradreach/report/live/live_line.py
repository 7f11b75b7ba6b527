"""The live line of a run, on stderr: in place at a terminal, as a plain line now and then elsewhere.

At a terminal it stands beneath the cursor, which stays where the script left it: before the script's own streams write
there it is erased, so the two never mix, and what the script writes is not touched.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import Any

from gradreach.facts.wording import to_ascii
from gradreach.record.progress import Progress
from gradreach.report.live.progress_line import WIDTH, line

REDRAW = 0.5
IN_A_LOG = 60.0
BESIDE_A_BAR = 30.0
"""Seconds between two drawings: in place, in a log, and where a progress bar holds the line of the terminal."""

_ERASE = b"\x1b[J"
_BENEATH = "\x1bD\x1b[A\x1b7\r\n{}\x1b8"
"""Make room beneath the cursor, keep its place, write on the next line, and go back (ECMA-48 and DEC VT100)."""


@contextmanager
def live_line(*, alone: bool = True) -> Iterator[Callable[[Progress], None]]:
    """What to call, not too seldom, with where a run stands; its line is gone again at the end.

    Not `alone`: other processes write to this terminal, so nothing is drawn in place.
    """
    live = _begin(alone)
    if live is None:
        yield lambda _progress: None
        return
    try:
        yield live.tell
    finally:
        live.close()


def _begin(alone: bool) -> _Live | None:
    """None where there is no stderr, or something else has taken its place."""
    stream: object = sys.stderr
    if isinstance(stream, TextIOWrapper):
        with suppress(OSError, ValueError):
            return _Live(stream, in_place=alone and _takes_escapes(stream))
    return None


class _Live:
    def __init__(self, stream: TextIOWrapper, *, in_place: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._in_place = in_place
        self._clock = clock
        self._fd = stream.fileno()
        self._target = _target(self._fd)
        self._pid = os.getpid()
        self._plain = (stream.encoding or "").lower().replace("-", "") != "utf8"
        self._drawn = False
        self._at_start = True
        self._last = clock()
        self._hooked: list[tuple[Any, str, Any]] = []
        self._streams = [each for each in (sys.stdout, stream) if _leads_to(each, self._target)]
        for each in self._streams:
            raw = getattr(each.buffer, "raw", each.buffer)
            self._hook(raw, "write", self._write_of(raw.write))
            if in_place:  # the built-in input() flushes, and then writes past every stream
                self._hook(each, "flush", self._flush_of(each.flush))

    def tell(self, progress: Progress) -> None:
        """Show where the run stands, where it is time to."""
        now = self._clock()
        in_place = self._in_place and self._at_start
        pause = REDRAW if in_place else BESIDE_A_BAR if self._in_place else IN_A_LOG
        if now - self._last < pause or not self._may_write():
            return
        self._last = now
        if in_place:
            self._erase()
            self._put(_BENEATH.format(self._said(line(progress, _columns(self._fd) - 1))).encode())
            self._drawn = True
        else:
            for stream in self._streams:
                with suppress(OSError, ValueError):
                    stream.flush()
            start = "" if self._at_start else "\n"
            self._put(f"{start}gradreach: {self._said(line(progress))}\n".encode())
            self._at_start = True

    def close(self) -> None:
        """Leave the terminal and the streams as they were found."""
        if self._may_write():
            self._erase()
        for owner, name, hook in reversed(self._hooked):
            if owner.__dict__.get(name) is hook:
                delattr(owner, name)

    def _hook(self, owner: Any, name: str, hook: Callable[..., Any]) -> None:
        with suppress(AttributeError, TypeError):
            setattr(owner, name, hook)
            self._hooked.append((owner, name, hook))

    def _write_of(self, real: Callable[[Any], int | None]) -> Callable[[Any], int | None]:
        def write(data: Any) -> int | None:
            self._erase()
            written = real(data)
            if written:
                self._at_start = _last_byte(data, written) == b"\n"
            return written

        return write

    def _flush_of(self, real: Callable[[], None]) -> Callable[[], None]:
        def flush() -> None:
            self._erase()
            real()

        return flush

    def _said(self, text: str) -> str:
        return to_ascii(text) if self._plain else text

    def _may_write(self) -> bool:
        """Whether stderr is still what it was, and this the process, in the foreground, that it was given to."""
        if self._pid != os.getpid() or self._stream.closed:
            return False
        try:
            if _target(self._fd) != self._target:
                return False
        except OSError:
            return False
        with suppress(OSError):
            return not self._in_place or os.tcgetpgrp(self._fd) == os.getpgrp()
        return True  # a terminal that governs no jobs

    def _erase(self) -> None:
        if self._drawn:
            self._drawn = False
            self._put(_ERASE)

    def _put(self, data: bytes) -> None:
        """Past the stream's buffer, which may be at work this very moment."""
        with suppress(OSError):
            os.write(self._fd, data)


def _takes_escapes(stream: TextIOWrapper) -> bool:
    return os.name == "posix" and stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _target(fd: int) -> tuple[int, int]:
    """What a descriptor leads to: a terminal, a pipe, a file."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _columns(fd: int) -> int:
    with suppress(OSError):
        return min(os.get_terminal_size(fd).columns or 80, WIDTH + 1)  # a terminal may not know: 0
    return 80


def _leads_to(stream: Any, target: tuple[int, int]) -> bool:
    with suppress(AttributeError, OSError, ValueError):
        return _target(stream.fileno()) == target and hasattr(stream, "buffer")
    return False


def _last_byte(data: Any, written: int) -> bytes:
    with suppress(TypeError, ValueError):
        return bytes(memoryview(data).cast("B")[written - 1 : written])
    return b""
