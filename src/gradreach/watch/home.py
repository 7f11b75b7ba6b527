"""The process and the thread that are watched: a worker of the script's own, which inherits every hook, is not."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

PATIENCE = 8
"""Backward passes of another thread during which the watched one made none and waits, until that other is watched."""

_LIBRARY = Path(threading.__file__).parent

_WAITING = frozenset(
    str(_LIBRARY / file) for file in ("threading.py", "queue.py", "selectors.py", "concurrent/futures/thread.py")
)
"""Where a thread stands that waits for others: for locks, ends of threads, futures, queues, events, work."""


class Home:
    """The thread that trains, of the process in which this was made: at first the thread in which it was made.

    Another one takes its place where it calls a model or backward and the first has ended, or has not called backward
    so far; and where the first waits while the other trains. `elsewhere` counts backward passes that were not watched,
    since another thread was.
    """

    def __init__(self) -> None:
        self._process, self._thread = os.getpid(), threading.get_ident()
        self._has_called = self._has_passed = False
        self._waited = 0
        self.elsewhere = 0

    def is_here(self) -> bool:
        """Whether what happens now happens in that process and thread."""
        return threading.get_ident() == self._thread and os.getpid() == self._process

    def is_this_process(self) -> bool:
        """Whether what happens now happens in that process, in whatever thread."""
        return os.getpid() == self._process

    def calls(self) -> bool:
        """A model is called where none is being called: whether that is in the watched thread, or in one that becomes
        it."""
        if self.is_here():
            return True
        if not self.is_this_process() or ((self._has_called or self._has_passed) and self._frame() is not None):
            return False
        self._move(has_passed=False)
        return True

    def passes(self) -> bool:
        """A backward pass begins: whether it is in the watched thread, or in one that becomes it."""
        if self.is_here():
            self._has_passed, self._waited = True, 0
            return True
        if not self.is_this_process():
            return False
        if not self._has_passed or self._frame() is None or (self._waited >= PATIENCE and self._waits()):
            self._move(has_passed=True)
            return True
        self._waited += 1
        self.elsewhere += 1
        return False

    def _move(self, *, has_passed: bool) -> None:
        self._thread, self._waited = threading.get_ident(), 0
        self._has_called, self._has_passed = True, has_passed

    def _frame(self) -> str | None:
        """The file in which the watched thread stands; None where that has ended."""
        frame = sys._current_frames().get(self._thread)
        return None if frame is None else frame.f_code.co_filename

    def _waits(self) -> bool:
        return self._frame() in _WAITING
