"""Checks of what gradreach stands on, none of which needs torch: Python, packages, disk, terminal, settings."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

from gradreach import settings
from gradreach.doctor.check import Seen
from gradreach.facts.wording import count, figure, percent

PYTHON = (3, 11)
LEAST_SPACE = 200 * 2**20
"""Bytes under which a long run's recording, tens of MB, may fill the disk."""

NETWORK = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "glusterfs",
    "gpfs",
    "lustre",
    "ocfs2",
}
"""Types of file systems on which SQLite's shared memory does not hold between machines."""

_MOUNTS = Path("/proc/mounts")
_REQUIREMENT = re.compile(r"([\w.-]+)\s*>=\s*([\d.]+)(?:.*extra\s*==\s*['\"]([\w-]+)['\"])?")


class Needed(NamedTuple):
    """A package that gradreach needs, from which version on; `extra` names what needs it, empty for all."""

    name: str
    least: str
    extra: str


def python() -> Seen:
    """The interpreter, and whether it is new enough."""
    text = f"{platform.python_version()}, {sys.executable}, {platform.system()} {platform.machine()}"
    if sys.version_info[:2] < PYTHON:
        return Seen("error", text, f"gradreach needs Python {'.'.join(map(str, PYTHON))} or later")
    return Seen("ok", text)


def packages() -> Seen:
    """gradreach and what it always needs, by version."""
    return judged([needed for needed in _needed() if not needed.extra], f"gradreach {version('gradreach')}")


def extras() -> Seen:
    """What of the extras is installed; one that is not is none that is missed."""
    wanted = [needed for needed in _needed() if needed.extra]
    there = [needed for needed in wanted if _version(needed.name)]
    absent = sorted({needed.extra for needed in wanted if needed not in there})
    seen = judged(there, "")
    without = f"not installed: {', '.join(absent)} (pip install 'gradreach[{','.join(absent)}]')" if absent else ""
    return Seen(seen.state, "; ".join(part for part in (seen.text, without) if part), seen.do)


def judged(needed: list[Needed], first: str) -> Seen:
    """The versions of packages, and what to install where one is missing or too old."""
    found = {each: _version(each.name) for each in needed}
    told = [f"{each.name} {there or 'missing'}" for each, there in found.items()]
    wrong = [f"'{each.name}>={each.least}'" for each, there in found.items() if not _enough(there, each.least)]
    text = ", ".join([*([first] if first else []), *told])
    return Seen("error", text, f"pip install {' '.join(wrong)}") if wrong else Seen("ok", text)


def disk() -> Seen:
    """Where a run would be recorded: writable, room enough, and a file system that SQLite can trust."""
    folder = Path.cwd()
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix="gradreach-doctor-") as trial:
            _write_ahead(Path(trial) / "trial.sqlite")
    except OSError as error:
        return Seen(
            "error", f"{folder} cannot be written: {error.strerror or error}", "go to another folder, or give --out"
        )
    except sqlite3.Error as error:
        return Seen("error", f"SQLite cannot write in {folder}: {error}", "record elsewhere, with --out DIR")
    free, kind = shutil.disk_usage(folder).free, file_system(folder)
    text = f"{folder} can be written, {figure(free / 2**30)} GiB free{f', {kind}' if kind else ''}"
    if over_network(kind):
        return Seen(
            "warning",
            f"{text}: a network file system, where a recording may be damaged",
            "give run --out a local folder",
        )
    if free < LEAST_SPACE:
        return Seen("warning", text, "make room, or record elsewhere with --out DIR")
    return Seen("ok", text)


def file_system(folder: Path, mounts: Path = _MOUNTS) -> str:
    """The type of the file system that holds `folder`, as the kernel names it; empty where it does not say."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    held = [(_unescaped(at), kind) for _, at, kind, *_ in (line.split() for line in lines if line.count(" ") >= 2)]
    there = [(len(at), kind) for at, kind in held if folder.resolve().is_relative_to(at)]
    return max(there, key=lambda each: each[0])[1] if there else ""


def over_network(kind: str) -> bool:
    """Whether a type of file system reaches over a network, as far as its name tells."""
    return kind in NETWORK or kind.startswith(
        ("fuse.sshfs", "fuse.gcsfuse", "fuse.s3fs", "fuse.rclone", "fuse.gluster")
    )


def terminal(environment: Mapping[str, str] = os.environ) -> Seen:
    """Whether stdout shows the field's symbols, and whether it is a terminal."""
    encoding = sys.stdout.encoding or "unknown"
    at = f"{shutil.get_terminal_size().columns} columns" if sys.stdout.isatty() else "no terminal, so no colour"
    text = f"{encoding}, {at}{', NO_COLOR is set' if environment.get('NO_COLOR') else ''}"
    if not encoding.lower().startswith("utf"):
        return Seen("warning", f"{text}: symbols such as λ are spelt out", "set PYTHONIOENCODING=utf-8 to see them")
    return Seen("ok", text)


def in_force() -> Seen:
    """The settings and the file that they come from."""
    try:
        found = settings.of()
    except settings.BadSettings as error:
        return Seen("error", str(error), "mend that file: until then run, report, check and compare end with it")
    if found.source is None:
        return Seen(
            "ok", f"all by default, no pyproject.toml here has [{settings.TABLE}]; budget {percent(found.budget)}"
        )
    ignored = f", ignored {', '.join(found.ignore)}" if found.ignore else ""
    changed = count(len(found.changed), "threshold") + f" set: {', '.join(found.changed)}" if found.changed else ""
    return Seen("ok", f"{found.source}: budget {percent(found.budget)}{ignored}{f', {changed}' if changed else ''}")


def _needed() -> list[Needed]:
    found = (_REQUIREMENT.match(line) for line in requires("gradreach") or ())
    return [Needed(match[1], match[2], match[3] or "") for match in found if match]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _enough(there: str | None, least: str) -> bool:
    return there is not None and _numbers(there) >= _numbers(least)


def _numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: of 2.13.0+cpu these are 2, 13, 0."""
    lead = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in lead[0].split(".")) if lead else ()


def _write_ahead(file: Path) -> None:
    """Write and read back as a recording does; raises sqlite3.Error where that fails."""
    connection = sqlite3.connect(file)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE trial (number INTEGER)")
        connection.execute("INSERT INTO trial VALUES (1)")
        connection.commit()
        connection.execute("SELECT number FROM trial").fetchone()
    finally:
        connection.close()


def _unescaped(mount: str) -> str:
    r"""A mount point as it is: the kernel writes a space as \040."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), mount)
