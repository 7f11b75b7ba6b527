"""A sink that tells a callable where the run stands, as the live line needs it."""

from __future__ import annotations

from collections.abc import Callable

from gradreach.record.entries import Entry
from gradreach.record.look import Look
from gradreach.record.progress import Progress
from gradreach.record.schema import NonFinite, Step


class ProgressSink:
    """Calls `tell` at each flush with where the run stands."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
        self._progress = Progress()
        self._steps: list[Step] = []
        self._looks: list[Look] = []
        self._nonfinite: list[NonFinite] = []

    def write(self, entry: Entry) -> None:
        """Take in what changes where the run stands."""
        match entry:
            case Step():
                self._steps.append(entry)
            case Look():
                self._looks.append(entry)
            case NonFinite():
                self._nonfinite.append(entry)

    def flush(self) -> None:
        """Tell where the run stands by now."""
        self._progress = self._progress.advanced(self._steps, self._looks, self._nonfinite)
        for pending in (self._steps, self._looks, self._nonfinite):
            pending.clear()
        self._tell(self._progress)

    def close(self) -> None:
        """There is nothing more to tell."""
