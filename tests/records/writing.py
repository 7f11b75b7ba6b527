"""A record written to a folder, as a watched run leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gradreach.record.entries import Entry, Model, Note, SiteEntry
from gradreach.record.schema import Dependency, GuardSummary, Overhead, Record
from gradreach.record.sinks.sqlite import SqliteSink
from gradreach.record.store import rank_file


def write(folder: Path, record: Record) -> Path:
    """Write all of the record into `folder`, piece after piece; what a run writes again stands there as it was before,
    too."""
    sink = SqliteSink(rank_file(folder, record.run.rank), record.run)
    for number, entry in enumerate(entries_of(record)):
        match entry:
            case Dependency():
                sink.write(replace(entry, lags=()))
            case Overhead():
                sink.write(replace(entry, seconds=0.0))
            case GuardSummary():
                sink.write(replace(entry, updates=0))
        sink.write(entry)
        if number % 7 == 0:
            sink.flush()
    sink.close()
    return folder


def entries_of(record: Record) -> Iterator[Entry]:
    """The entries that a run of this record would have written, its last state alone of what is written again."""
    yield record.run
    yield from map(SiteEntry, record.sites)
    yield from (Model(name, kind) for name, kind in record.models.items())
    yield from (
        *record.steps,
        *record.looks,
        *record.dependency,
        *record.nonfinite,
        *record.missed_loads,
        *record.spent_loaders,
    )
    yield from map(Note, record.notes)
    if record.overhead is not None:
        yield record.overhead
    if record.guarded is not None:
        yield from record.guarded.deeds
        yield replace(record.guarded, deeds=())
    yield record.outcome
