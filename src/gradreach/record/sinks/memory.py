"""The record of a run kept in memory, for who needs no file."""

from __future__ import annotations

from gradreach.record.entries import Entry, record_of
from gradreach.record.schema import Record, Run


class MemorySink:
    """Keeps every entry; `record` is what they add up to so far."""

    def __init__(self, run: Run) -> None:
        self.entries: list[Entry] = [run]

    @property
    def record(self) -> Record:
        """The run as far as it is written."""
        return record_of(self.entries)

    def write(self, entry: Entry) -> None:
        """Keep an entry."""
        self.entries.append(entry)

    def flush(self) -> None:
        """Nothing is ever pending."""

    def close(self) -> None:
        """The entries stay."""
