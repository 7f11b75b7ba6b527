"""Reading recordings: the record in a rank's file, whole or as it grows. `sinks.sqlite` writes these files."""

from __future__ import annotations

import gc
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from gradreach.record.entries import record_of
from gradreach.record.process import still_running
from gradreach.record.ranks import whole
from gradreach.record.schema import Record
from gradreach.record.sinks.sqlite import APPLICATION_ID, FORMAT, entries_in


class Unreadable(ValueError):
    """The recording cannot be read; the message is one sentence that says why and what to do."""


def rank_file(folder: Path, rank: int = 0) -> Path:
    """The file that holds one rank's record in a recording's folder."""
    return folder / f"rank{rank}.sqlite"


CHILDREN = "children"
"""The folder within a recording's where the processes write that the program started, until it has ended."""


def forget_children(folder: Path) -> None:
    """Remove what the children of an earlier run left."""
    for file in (folder / CHILDREN).rglob("rank*.sqlite*"):
        file.unlink(missing_ok=True)


def adopt_children(folder: Path) -> int:
    """Put the children's records, where the program itself has none, in the place of its own: of those that trained
    together every rank's, else of the one that trained first. Returns its backward passes, 0 without children."""
    home = _home_of_children(folder)
    if home is None:
        return 0
    for rank in ranks(home):
        for end in ("", "-wal", "-shm"):
            file, place = (rank_file(each, rank) for each in (home, folder))
            file, place = (each.with_name(each.name + end) for each in (file, place))
            place.unlink(missing_ok=True)
            if file.exists():
                file.replace(place)
    return _read(rank_file(folder)).passes


def children(folder: Path) -> tuple[Path, ...]:
    """The folders in which processes that the program started have records of their own, the first that trained
    first."""
    files = sorted((folder / CHILDREN).rglob("rank0.sqlite"), key=lambda file: file.stat().st_ctime_ns)
    return tuple(file.parent for file in files)


def _home_of_children(folder: Path) -> Path | None:
    """Where the record of rank 0 of the children lies, or of the child that trained first; None without one."""
    found = children(folder)
    return folder / CHILDREN if folder / CHILDREN in found else next(iter(found), None)


def read(path: Path | str) -> Record:
    """The record in a file, or of rank 0 in a recording's folder; a run that goes on is read as far as it is written.
    A program that was killed while its children trained has their record.
    Global norms are put together from the parts in the files of other ranks beside it.

    Raises Unreadable where there is none, or the file is foreign, damaged, or of another version.
    """
    path = Path(path)
    file = rank_file(path) if path.is_dir() else path
    if not file.is_file():
        what = f"no recording in {path}" if path.is_dir() else f"{path} does not exist"
        raise Unreadable(f"{what}: name the folder that `gradreach run --out` wrote to")
    record = _read(file)
    if path.is_dir() and not record.steps and (home := _home_of_children(path)) is not None:
        return read(home)
    return whole(record, lambda rank: _read_beside(file, rank))


def _read_beside(file: Path, rank: int) -> Record | None:
    """Another rank's record in the same folder; None where there is none that can be read."""
    try:
        return _read(rank_file(file.parent, rank))
    except Unreadable:
        return None


def _read(file: Path) -> Record:
    if not file.is_file():
        raise Unreadable(f"{file} does not exist: name the folder that `gradreach run --out` wrote to")
    try:
        rows = _read_rows(file)
    except sqlite3.DatabaseError as error:
        raise Unreadable(f"{file} is not a whole recording of gradreach ({error}); record the run again") from error
    try:
        return _assemble(rows)
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise Unreadable(f"{file} is damaged inside ({error}); record the run again") from error


class Tail:
    """Reads on in the file of a run that goes on. Each call opens it anew, for an open reader hinders its closing."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._first: tuple[str, bytes] | None = None
        self._last = 0

    def more(self) -> Record | None:
        """The run with what was written since the last call; None where nothing was.

        Where another run has taken the file's place, all of that one. Raises Unreadable as `read` does.
        """
        try:
            with closing(_open_for_reading(self._file)) as connection:
                _check(connection, self._file)
                query = "SELECT id, kind, data FROM rows WHERE id = 1 OR id > ? ORDER BY id"
                rows = connection.execute(query, (self._last,)).fetchall()
        except sqlite3.DatabaseError as error:
            raise Unreadable(f"{self._file} is not a whole recording of gradreach ({error})") from error
        if not rows:
            raise Unreadable(f"{self._file} holds nothing; record the run again")
        first = rows[0][1:]
        if self._first not in (None, first):
            self._first, self._last = None, 0
            return self.more()
        if self._first is not None and len(rows) == 1:
            return None
        self._first, self._last = first, rows[-1][0]
        return _assemble([row[1:] for row in rows])


def ranks(folder: Path | str) -> tuple[int, ...]:
    """The ranks that have a file in a recording's folder."""
    found = (file.stem.removeprefix("rank") for file in Path(folder).glob("rank*.sqlite"))
    return tuple(sorted(int(rank) for rank in found if rank.isdecimal()))


def wait_for_ranks(folder: Path, seconds: float) -> None:
    """Give the ranks that hold parts of rank 0's gradients so long to end their recordings in a folder; none that is
    gone is waited for, nor one of which that cannot be told."""
    until = time.monotonic() + seconds
    for rank in _read(rank_file(folder)).sharded_over:
        with suppress(Unreadable):
            while time.monotonic() < until and still_running(_read(rank_file(folder, rank))):
                time.sleep(0.1)


def _read_rows(file: Path) -> list[tuple[str, bytes]]:
    with closing(_open_for_reading(file)) as connection:
        _check(connection, file)
        return connection.execute("SELECT kind, data FROM rows ORDER BY id").fetchall()


def _check(connection: sqlite3.Connection, file: Path) -> None:
    """Raises Unreadable where the file is a stranger's or of another version."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise Unreadable(f"{file} is no recording of gradreach; name the folder that `gradreach run` wrote to")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != FORMAT:
        age = "a newer" if version > FORMAT else "an older"
        raise Unreadable(
            f"{file} was written by {age} gradreach (layout {version}, this one reads {FORMAT}); "
            "record the run again, or read it with the version that wrote it"
        )


def _open_for_reading(file: Path) -> sqlite3.Connection:
    """Read-only; where the folder cannot be written and no log is left, as an immutable file."""
    address = file.resolve().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True)
    try:
        connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        return sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True)
    return connection


def _assemble(rows: Sequence[tuple[str, bytes]]) -> Record:
    with _without_collection():
        return record_of(entries_in(rows))


@contextmanager
def _without_collection() -> Iterator[None]:
    """No garbage collection while records are made by the hundred thousand: it would look at all of them each time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
