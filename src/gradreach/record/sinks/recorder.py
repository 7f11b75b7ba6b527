"""Writes a run to several sinks at once, and goes on without one that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gradreach.record.entries import Entry, Note
from gradreach.record.schema import Run
from gradreach.record.sinks.sink import Sink


class Recorder:
    """A sink that hands everything on to `sinks`. Nothing that a sink raises leaves it.

    A sink that fails gets no more of the run; the others get a note of it, and `failures` holds the same sentence.
    """

    def __init__(self, run: Run, sinks: Sequence[Sink]) -> None:
        self.failures: list[str] = []
        self._run = run
        self._sinks = list(sinks)
        self._notes: set[str] = set()

    def write(self, entry: Entry) -> None:
        """Write one entry to every sink."""
        for sink in self._sinks:
            try:
                sink.write(entry)
            except Exception as error:
                self._leave_out(sink, error)

    def note(self, sentence: str) -> None:
        """Write a plain sentence on what could not be seen; once, however often it is told."""
        if sentence not in self._notes:
            self._notes.add(sentence)
            self.write(Note(sentence))

    def device(self, kind: str) -> None:
        """Write where the model's parameters lie, once that is known."""
        if kind != self._run.device:
            self._run = replace(self._run, device=kind)
            self.write(self._run)

    def flush(self) -> None:
        """Have every sink write out what is pending."""
        self._each(lambda sink: sink.flush())

    def close(self) -> None:
        """Close every sink. What fails in this stands in the others' notes where they are still open."""
        while self._sinks:
            last = self._sinks[-1]
            self._each(lambda sink: sink.close(), [last])
            self._sinks = [sink for sink in self._sinks if sink is not last]

    def _each(self, act: Callable[[Sink], None], sinks: Sequence[Sink] | None = None) -> None:
        for sink in tuple(self._sinks if sinks is None else sinks):
            try:
                act(sink)
            except Exception as error:
                self._leave_out(sink, error)

    def _leave_out(self, sink: Sink, error: Exception) -> None:
        self._sinks = [other for other in self._sinks if other is not sink]
        self.failures.append(f"{type(sink).__name__} takes no more of this run: {error}")
        self.note(self.failures[-1])
