"""The record on disk: one SQLite file a rank, in WAL mode, appended to as the run goes.

Each row holds one record of the schema, packed by msgspec (steps: a batch, column by column); a run that is killed
leaves everything that was flushed. A reader may open the file while it is written.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import fields, replace
from itertools import chain, starmap
from pathlib import Path
from typing import Any

import msgspec

from gradreach.record.progress import Progress
from gradreach.record.schema import Deed, Dependency, Guarded, Look, NonFinite, Outcome, Overhead, Record, Run, Step

FORMAT = 1
"""Version of the file's layout; a file of another version is refused with a sentence."""

_APPLICATION_ID = 0x67725F31
_STEP_FIELDS = tuple(field.name for field in fields(Step))
_ROW_TYPES: dict[str, Any] = {
    "run": Run,
    "steps": dict[str, list[Any]],
    "look": Look,
    "dependency": Dependency,
    "nonfinite": NonFinite,
    "site": str,
    "model": tuple[str, str],
    "note": str,
    "overhead": Overhead,
    "guarded": Guarded,
    "deed": Deed,
    "outcome": Outcome,
}


class Unreadable(ValueError):
    """The recording cannot be read; the message is one sentence that says why and what to do."""


def rank_file(folder: Path, rank: int = 0) -> Path:
    """The file that holds one rank's record in a recording's folder."""
    return folder / f"rank{rank}.sqlite"


class Writer:
    """Appends to one rank's file. A disk that fails later is remembered in `failure` and never raises into the run.

    `progress` is where the run stands as of the last flush.
    """

    def __init__(self, path: Path, run: Run) -> None:
        """Start a new file at `path` in place of an older recording there; raises OSError where that cannot be done."""
        self.path = path
        self.failure: str | None = None
        self.progress = Progress()
        self._run = run
        self._rows: list[tuple[str, bytes]] = []
        self._steps: list[Step] = []
        self._sites = self._deeds = 0
        self._notes: set[str] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        for stale in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            stale.unlink(missing_ok=True)
        try:
            self._connection = _create(path)
            self._append("run", run)
            self._write()
        except sqlite3.Error as error:
            raise OSError(f"cannot write a recording to {path}: {error}") from error

    def device(self, kind: str) -> None:
        """Set where the model's parameters lie, once that is known."""
        if kind != self._run.device:
            self._run = replace(self._run, device=kind)
            self._append("run", self._run)

    def step(self, step: Step) -> None:
        """Append one step; steps come in order."""
        self._steps.append(step)

    def look(self, look: Look) -> None:
        """Append what was seen on a watched step."""
        self.progress = self.progress.advanced(looks=(look,))
        self._append("look", look)

    def dependency(self, found: Dependency) -> None:
        """Append a test; a later one of the same module and line of the script takes its place."""
        self._append("dependency", found)

    def nonfinite(self, found: NonFinite) -> None:
        """Append the origin of a non-finite value."""
        self.progress = self.progress.advanced(nonfinite=(found,))
        self._append("nonfinite", found)

    def site(self, place: str) -> int:
        """Number a place in the script that calls backward."""
        self._append("site", place)
        self._sites += 1
        return self._sites - 1

    def model(self, name: str, kind: str) -> None:
        """Name a root module and its class."""
        self._append("model", (name, kind))

    def note(self, sentence: str) -> None:
        """Add a plain sentence on what could not be seen; kept once, however often it is told."""
        if sentence not in self._notes:
            self._notes.add(sentence)
            self._append("note", sentence)

    def overhead(self, overhead: Overhead) -> None:
        """Set what watching has cost so far."""
        self._append("overhead", overhead)

    def guarded(self, guarded: Guarded) -> None:
        """Set what the guard has done so far; deeds that stand there already are not written again."""
        for deed in guarded.deeds[self._deeds :]:
            self._append("deed", deed)
        self._deeds = len(guarded.deeds)
        self._append("guarded", replace(guarded, deeds=()))

    def outcome(self, outcome: Outcome) -> None:
        """Set how the run ended."""
        self._append("outcome", outcome)

    def flush(self) -> None:
        """Write what is pending; a disk that fails ends the writing, not the run."""
        if self.failure is None:
            try:
                self._write()
            except sqlite3.Error as error:
                self.failure = f"the recording stopped at {self.path}: {error}"
        self.progress = self.progress.advanced(self._steps)
        self._rows.clear()
        self._steps.clear()

    def close(self) -> None:
        """Flush, and leave a single file without a write-ahead log."""
        self.flush()
        try:
            self._connection.execute("PRAGMA journal_mode=DELETE")
            self._connection.close()
        except sqlite3.Error as error:
            self.failure = self.failure or f"the recording could not be closed at {self.path}: {error}"

    def _append(self, kind: str, item: Any) -> None:
        self._rows.append((kind, msgspec.msgpack.encode(item)))

    def _write(self) -> None:
        if self._steps:
            self._append("steps", {name: [getattr(step, name) for step in self._steps] for name in _STEP_FIELDS})
        with self._connection:
            self._connection.executemany("INSERT INTO rows (kind, data) VALUES (?, ?)", self._rows)


def read(path: Path | str) -> Record:
    """The record in a file, or of rank 0 in a recording's folder; a run that goes on is read as far as it is written.

    Raises Unreadable where there is none, or the file is foreign, damaged, or of another version.
    """
    path = Path(path)
    file = rank_file(path) if path.is_dir() else path
    if not file.is_file():
        what = f"no recording in {path}" if path.is_dir() else f"{path} does not exist"
        raise Unreadable(f"{what}: name the folder that `gradreach run --out` wrote to")
    try:
        rows = _read_rows(file)
    except sqlite3.DatabaseError as error:
        raise Unreadable(f"{file} is not a whole recording of gradreach ({error}); record the run again") from error
    try:
        return _assemble(rows)
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise Unreadable(f"{file} is damaged inside ({error}); record the run again") from error


class Tail:
    """Reads on in the file of a run that goes on. Each look opens it anew: a reader that stays hinders its closing."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._first: tuple[str, bytes] | None = None
        self._last = 0

    def more(self) -> Record | None:
        """The run with what was written since the last look; None where nothing was.

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


def _create(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={FORMAT}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, data BLOB NOT NULL)")
    connection.commit()
    return connection


def _read_rows(file: Path) -> list[tuple[str, bytes]]:
    with closing(_open_for_reading(file)) as connection:
        _check(connection, file)
        return connection.execute("SELECT kind, data FROM rows ORDER BY id").fetchall()


def _check(connection: sqlite3.Connection, file: Path) -> None:
    """Raises Unreadable where the file is a stranger's or of another version."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
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
        by_kind: dict[str, list[Any]] = {kind: [] for kind in _ROW_TYPES}
        for kind, data in rows:
            by_kind[kind].append(msgspec.msgpack.decode(data, type=_ROW_TYPES[kind]))
        steps = tuple(chain.from_iterable(map(_steps, by_kind["steps"])))
    if not by_kind["run"]:
        raise KeyError("run")
    return Record(
        run=by_kind["run"][-1],
        steps=steps,
        looks=tuple(sorted(by_kind["look"], key=lambda look: look.step)),
        dependency=tuple({(d.module, d.site): d for d in by_kind["dependency"]}.values()),
        nonfinite=tuple(by_kind["nonfinite"]),
        sites=tuple(by_kind["site"]),
        models=dict(by_kind["model"]),
        overhead=by_kind["overhead"][-1] if by_kind["overhead"] else None,
        guarded=replace(by_kind["guarded"][-1], deeds=tuple(by_kind["deed"])) if by_kind["guarded"] else None,
        outcome=by_kind["outcome"][-1] if by_kind["outcome"] else Outcome(),
        notes=tuple(by_kind["note"]),
    )


def _steps(columns: dict[str, list[Any]]) -> Iterator[Step]:
    """The steps of one batch; a file of an older version lacks the columns that were added last."""
    if tuple(columns) != _STEP_FIELDS[: len(columns)]:
        raise KeyError(", ".join(columns))
    return starmap(Step, zip(*columns.values(), strict=True))


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
