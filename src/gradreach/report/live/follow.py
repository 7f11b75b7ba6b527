"""`gradreach report --follow`: a run that goes on, watched from another terminal until it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gradreach.facts.wording import to_ascii
from gradreach.record.process import still_running
from gradreach.record.progress import Progress
from gradreach.record.schema import Record
from gradreach.record.store import Tail, Unreadable, rank_file
from gradreach.report.charts.terminal_card import console_for
from gradreach.report.conclusions import Conclusions
from gradreach.report.live.live_line import live_line
from gradreach.report.page import render
from gradreach.report.terminal import print_summary

PAUSE = 0.5
PAGE_EVERY = 10.0
"""Seconds between two looks at the file, and between two pages; drawing takes a tenth of the time at most."""

PATIENCE = 5.0
"""Seconds for which a file may be none of ours: it is being made."""

INTERRUPTED = 130


def follow(folder: Path, load: Callable[[], Conclusions | int], page: Path | None = None) -> int:
    """Show where the run recorded in `folder` stands and keep its page new, until it ends; then print its summary.

    `load` concludes from what is there, or gives the exit code where it cannot; `page` is report.html beside the
    recording unless named. Returns 0, what `load` gave, 3 for an unreadable recording, or 130 where Ctrl-C ended it.
    """
    file = folder if folder.is_file() or folder.suffix == ".sqlite" else rank_file(folder)
    following = _Following(file, load, page or file.parent / "report.html")
    code = 0
    try:
        following.to_the_end()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Unreadable as error:
        _say(str(error))
        return 3
    return following.summary() or code


class _Following:
    def __init__(self, file: Path, load: Callable[[], Conclusions | int], page: Path) -> None:
        self._file = file
        self._tail = Tail(file)
        self._load = load
        self._page = page
        self._progress = Progress()
        self._run: tuple[str, int] | None = None
        self._drawn_at = -PAGE_EVERY
        self._drawing = 0.0

    def to_the_end(self) -> None:
        """Returns when the run has ended, or its process is gone. Raises Unreadable."""
        record = self._begun()
        script = record.run.script
        _say(f"following {script}; {self._page} is drawn anew every {PAGE_EVERY:g} s; Ctrl-C ends this, not the run")
        if still_running(record) is None:
            _say(f"it runs on {record.run.host or 'an unknown host'}: whether it is killed cannot be seen from here")
        with live_line() as tell:
            while True:
                gone = still_running(record) is False
                added = self._tail.more()
                if added is not None:
                    record = added
                    self._advance(added)
                elif gone:
                    return
                tell(self._progress)
                if added is not None:
                    self._draw_when_due()
                time.sleep(PAUSE)

    def summary(self) -> int:
        """Print what is there, with the page drawn anew; the exit code."""
        if not self._file.is_file():
            return 0
        report = self._load()
        if isinstance(report, int):
            return report
        print_summary(report, console_for(), str(self._page) if self._draw(report) else "")
        return 0

    def _begun(self) -> Record:
        """The first look that finds a run; until there is one, wait."""
        told, since = False, None
        while True:
            try:
                record = self._tail.more()
            except Unreadable:
                if self._file.is_file():
                    since = since or time.monotonic()
                    if time.monotonic() - since > PATIENCE:
                        raise
                elif not told:
                    told = True
                    _say(
                        f"nothing is recorded in {self._file.parent} yet: waiting for `gradreach run`; Ctrl-C ends this"
                    )
            else:
                assert record is not None
                self._advance(record)
                self._draw_when_due()
                return record
            time.sleep(PAUSE)

    def _advance(self, added: Record) -> None:
        run = (added.run.started, added.run.pid)
        if run != self._run:
            self._run, self._progress = run, Progress()
        self._progress = self._progress.advanced(added.steps, added.looks, added.nonfinite)

    def _draw_when_due(self) -> None:
        began = time.monotonic()
        if began - self._drawn_at < max(PAGE_EVERY, 10 * self._drawing):
            return
        report = self._load()
        if not isinstance(report, int):
            self._draw(report)
        self._drawn_at = time.monotonic()
        self._drawing = self._drawn_at - began

    def _draw(self, conclusions: Conclusions) -> bool:
        """Write the page whole or not at all, for a browser may read it at any moment."""
        part = self._page.with_name(f".{self._page.name}.part")
        try:
            part.write_text(render(conclusions), encoding="utf-8")
            part.replace(self._page)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            _say(f"cannot write {self._page}: {error.strerror or error}")
            return False
        return True


def _say(sentence: str) -> None:
    if sys.stderr is not None:
        print(to_ascii(f"gradreach: {sentence}"), file=sys.stderr)
