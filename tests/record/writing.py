"""Records written as runs write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gradreach.record.entries import Entry, Model, Note, Site
from gradreach.record.schema import Record


def entries_of(record: Record) -> Iterator[Entry]:
    """The entries that a run of this record would have written, its last state alone of what is written again."""
    yield record.run
    yield from map(Site, record.sites)
    yield from (Model(name, kind) for name, kind in record.models.items())
    yield from (*record.steps, *record.looks, *record.dependency, *record.nonfinite)
    yield from map(Note, record.notes)
    if record.overhead is not None:
        yield record.overhead
    if record.guarded is not None:
        yield from record.guarded.deeds
        yield replace(record.guarded, deeds=())
    yield record.outcome
