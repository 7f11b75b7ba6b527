"""Whether a run can be recorded here."""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from pathlib import Path

from gradreach.doctor.check import Check, Diagnosis
from gradreach.facts.wording import figure

LEAST_SPACE = 200 * 2**20
"""The bytes under which a long run's recording, tens of MB, may fill the disk."""

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
"""The types of file systems on which SQLite's shared memory does not hold between machines."""

NETWORK_FUSE = ("fuse.sshfs", "fuse.gcsfuse", "fuse.s3fs", "fuse.rclone", "fuse.gluster")

_MOUNTS = Path("/proc/mounts")


def disk() -> Diagnosis:
    """Where a run would be recorded: writable, room enough, and a file system that SQLite can trust."""
    folder = Path.cwd()
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix="gradreach-doctor-") as trial:
            _write_ahead(Path(trial) / "trial.sqlite")
    except OSError as error:
        return Diagnosis(
            "error", f"{folder} cannot be written: {error.strerror or error}", "go to another folder, or give --out"
        )
    except sqlite3.Error as error:
        return Diagnosis("error", f"SQLite cannot write in {folder}: {error}", "record elsewhere, with --out DIR")
    free, kind = shutil.disk_usage(folder).free, file_system(folder)
    text = f"{folder} can be written, {figure(free / 2**30)} GiB free{f', {kind}' if kind else ''}"
    if over_network(kind):
        return Diagnosis(
            "warning",
            f"{text}: a network file system, where a recording may be damaged",
            "give run --out a local folder",
        )
    if free < LEAST_SPACE:
        return Diagnosis("warning", text, "make room, or record elsewhere with --out DIR")
    return Diagnosis("ok", text)


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
    return kind in NETWORK or kind.startswith(NETWORK_FUSE)


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


CHECK = Check("disk", 10, disk)
