"""A record written to a folder, as a watched run leaves it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gradreach.record.schema import Record
from gradreach.record.store import Writer, rank_file


def write(folder: Path, record: Record) -> Path:
    """Write all of the record into `folder`, piece after piece, its totals first as they stood early in the run."""
    writer = Writer(rank_file(folder, record.run.rank), record.run)
    for site in record.sites:
        writer.site(site)
    for name, kind in record.models.items():
        writer.model(name, kind)
    for step in record.steps:
        writer.step(step)
        if step.step % 7 == 0:
            writer.flush()
    for look in record.looks:
        writer.look(look)
    for test in record.dependency:
        writer.dependency(replace(test, lags=()))
        writer.dependency(test)
    for found in record.nonfinite:
        writer.nonfinite(found)
    for note in (*record.notes, *record.notes):
        writer.note(note)
    if record.overhead is not None:
        writer.overhead(replace(record.overhead, seconds=0.0))
        writer.overhead(record.overhead)
    if record.guarded is not None:
        writer.guarded(replace(record.guarded, updates=0, deeds=record.guarded.deeds[:1]))
        writer.guarded(record.guarded)
    writer.outcome(record.outcome)
    writer.close()
    assert writer.failure is None
    return folder
