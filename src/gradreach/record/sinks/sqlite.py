"""The recording on disk: one SQLite file a rank, in WAL mode, appended to as the run goes.

Each row holds one entry, packed by msgpack (steps: a batch, column by column), so that a run that is killed leaves
everything that was flushed. A reader may open the file while it is written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import starmap
from pathlib import Path
from typing import Any

import msgspec

from gradreach.record.entries import Entry, JoinedSite, Model, Note, Sharding, SiteEntry
from gradreach.record.first_update import FirstUpdate
from gradreach.record.look import Look
from gradreach.record.schema import Dependency, GuardDeed, GuardSummary, NonFinite, Outcome, Overhead, Run, Step
from gradreach.record.seen.loop import CutPass, MissedLoad, SpentLoader

FORMAT = 1
"""Version of the file's layout; a file of another version is refused with a sentence."""

APPLICATION_ID = 0x67725F31
"""What SQLite's own header says that the file is."""

_STEP_FIELDS = tuple(field.name for field in fields(Step))


@dataclass(frozen=True)
class _RowKind:
    """One kind of row: the entry it holds, the type that is stored, and the way there and back."""

    entry: type
    stored: Any
    pack: Callable[[Any], Any] = lambda entry: entry
    unpack: Callable[[Any], Entry] = lambda stored: stored


_ROW_KINDS = {
    "run": _RowKind(Run, Run),
    "look": _RowKind(Look, Look),
    "dependency": _RowKind(Dependency, Dependency),
    "nonfinite": _RowKind(NonFinite, NonFinite),
    "cut pass": _RowKind(CutPass, CutPass),
    "missed load": _RowKind(MissedLoad, MissedLoad),
    "spent loader": _RowKind(SpentLoader, SpentLoader),
    "site": _RowKind(SiteEntry, str, lambda site: site.place, SiteEntry),
    "joined site": _RowKind(JoinedSite, JoinedSite),
    "first update": _RowKind(FirstUpdate, FirstUpdate),
    "model": _RowKind(Model, tuple[str, str], lambda model: (model.name, model.kind), lambda pair: Model(*pair)),
    "sharding": _RowKind(Sharding, Sharding),
    "note": _RowKind(Note, str, lambda note: note.sentence, Note),
    "overhead": _RowKind(Overhead, Overhead),
    "guarded": _RowKind(GuardSummary, GuardSummary),
    "deed": _RowKind(GuardDeed, GuardDeed),
    "outcome": _RowKind(Outcome, Outcome),
}
_NAMES = {kind.entry: name for name, kind in _ROW_KINDS.items()}


class SqliteSink:
    """Appends to one rank's file."""

    def __init__(self, path: Path, run: Run) -> None:
        """Start a new file at `path` in place of an older recording there; raises OSError where that cannot be done."""
        self.path = path
        self._rows: list[tuple[str, bytes]] = []
        self._steps: list[Step] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        for stale in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            stale.unlink(missing_ok=True)
        try:
            self._connection = _create(path)
            self.write(run)
            self._insert()
        except sqlite3.Error as error:
            raise OSError(f"cannot write a recording to {path}: {error}") from error

    def write(self, entry: Entry) -> None:
        """Append an entry; it is on disk after the next flush."""
        if isinstance(entry, Step):
            self._steps.append(entry)
        else:
            name = _NAMES[type(entry)]
            self._rows.append((name, msgspec.msgpack.encode(_ROW_KINDS[name].pack(entry))))

    def flush(self) -> None:
        """Write what is pending. Raises OSError where the disk fails."""
        try:
            self._insert()
        except sqlite3.Error as error:
            raise OSError(f"the recording stopped at {self.path}: {error}") from error

    def close(self) -> None:
        """Flush, and leave a single file without a write-ahead log. Raises OSError where the disk fails."""
        self.flush()
        try:
            self._connection.execute("PRAGMA journal_mode=DELETE")
            self._connection.close()
        except sqlite3.Error as error:
            raise OSError(f"the recording could not be closed at {self.path}: {error}") from error

    def _insert(self) -> None:
        if self._steps:
            columns = {name: [getattr(step, name) for step in self._steps] for name in _STEP_FIELDS}
            self._rows.append(("steps", msgspec.msgpack.encode(columns)))
            self._steps.clear()
        with self._connection:
            self._connection.executemany("INSERT INTO rows (kind, data) VALUES (?, ?)", self._rows)
        self._rows.clear()


def entries_in(rows: Iterable[tuple[str, bytes]]) -> Iterator[Entry]:
    """The entries that a file's rows (kind, data) hold.

    Raises msgspec.DecodeError, KeyError or TypeError where a row is damaged.
    """
    for name, data in rows:
        if name == "steps":
            yield from _steps(msgspec.msgpack.decode(data, type=dict[str, list[Any]]))
        else:
            kind = _ROW_KINDS[name]
            yield kind.unpack(msgspec.msgpack.decode(data, type=kind.stored))


def _steps(columns: dict[str, list[Any]]) -> Iterator[Step]:
    """The steps of one batch; a file of an older version lacks the columns that were added last."""
    if tuple(columns) != _STEP_FIELDS[: len(columns)]:
        raise KeyError(", ".join(columns))
    return starmap(Step, zip(*columns.values(), strict=True))


def _create(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={FORMAT}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, data BLOB NOT NULL)")
    connection.commit()
    return connection
