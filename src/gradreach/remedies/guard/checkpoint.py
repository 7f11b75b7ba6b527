"""Snapshots in a folder. Each is whole or not there, and the previous one is kept until the next is whole."""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import torch

_KEPT = 2
_NAME = re.compile(r"step(\d+)-rank(\d+)of(\d+)-([0-9a-f]{8})\.pt")


class Checkpoints:
    """One rank's snapshots, named as `step0000000300-rank0of1-1a2b3c4d.pt`; the last part is the file's CRC-32.

    Each loads with `torch.load(path, weights_only=True)`. The last two are kept.
    """

    def __init__(self, folder: Path, rank: int, ranks: int) -> None:
        self.folder = folder
        self._rank, self._ranks = rank, ranks
        self._written: set[Path] = set()

    def write(self, step: int, tree: dict[str, Any]) -> Path:
        """Write a snapshot, and return where it lies. Raises whatever the file system or the pickler raises.

        It is written under another name, flushed to the disk, read back, and then renamed, so that at every moment the
        newest file with a snapshot's name is whole.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".rank{self._rank}of{self._ranks}.writing"
        try:
            with draft.open("wb") as file:
                summed = _ChecksumWriter(file)
                torch.save(tree, summed)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            torch.load(draft, map_location="cpu", weights_only=True, mmap=True)
            path = self.folder / f"step{step:010d}-rank{self._rank}of{self._ranks}-{summed.crc:08x}.pt"
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        _flush_folder(self.folder)
        self._written.add(path)
        self._prune(step)
        return path

    def _prune(self, newest: int) -> None:
        """Keep the last whole files; those that this process wrote are known to be whole, and are not read again."""
        kept: set[int] = set()
        for step, path in reversed(self._mine()):
            wanted = len(kept) < _KEPT and step not in kept
            if wanted and (path in self._written or _is_whole(path)):
                kept.add(step)
            elif step <= newest:
                path.unlink(missing_ok=True)
                self._written.discard(path)

    def whole(self) -> list[int]:
        """The steps whose files are whole, oldest first.

        Raises ValueError where the folder's snapshots are of another number of ranks.
        """
        mine = self._mine()
        if not mine and (others := {int(m[3]) for m in self._names()} - {self._ranks}):
            raise ValueError(
                f"folder: {self.folder} holds snapshots of {others.pop()} ranks, this run has {self._ranks}; "
                "start as many ranks again, or load one of the files by torch.load(path, weights_only=True)"
            )
        return sorted(self._whole())

    def torn(self) -> list[Path]:
        """The files whose contents are not what was written."""
        return [path for _, path in self._mine() if not _is_whole(path)]

    def read(self, step: int) -> dict[str, Any]:
        """One whole snapshot, on the CPU."""
        tree: dict[str, Any] = torch.load(self._whole()[step], map_location="cpu", weights_only=True)
        return tree

    def newest(self) -> Path | None:
        """Where the newest whole snapshot lies, None where there is none."""
        whole = self._whole()
        return whole[max(whole)] if whole else None

    def _names(self) -> list[re.Match[str]]:
        if not self.folder.is_dir():
            return []
        return [match for entry in self.folder.iterdir() if (match := _NAME.fullmatch(entry.name))]

    def _mine(self) -> list[tuple[int, Path]]:
        """Step and path of all files of this rank, whole or torn; of one step there may be both."""
        own = [m for m in self._names() if (int(m[2]), int(m[3])) == (self._rank, self._ranks)]
        return sorted((int(match[1]), self.folder / match[0]) for match in own)

    def _whole(self) -> dict[int, Path]:
        return {step: path for step, path in self._mine() if _is_whole(path)}


class _ChecksumWriter:
    """A file whose CRC-32 is added up as it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.crc = 0

    def write(self, data: Any) -> int:
        self.crc = zlib.crc32(data, self.crc)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _is_whole(path: Path) -> bool:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            crc = zlib.crc32(block, crc)
    return f"{crc:08x}" == path.stem[-8:]


def _flush_folder(folder: Path) -> None:
    """Let the renaming, too, survive a power cut; only POSIX can open a folder."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
