"""Snapshots on disk: whole or not there, the previous one kept until the next is whole, a torn file recognised."""

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
    """One rank's snapshots in a folder: `step0000000300-rank0of1-1a2b3c4d.pt`, the last part the file's CRC-32.

    Each loads with `torch.load(path, weights_only=True)`. The last two are kept.
    """

    def __init__(self, folder: Path, rank: int, ranks: int) -> None:
        self.folder = folder
        self._rank, self._ranks = rank, ranks

    def write(self, step: int, tree: dict[str, Any]) -> Path:
        """Write under another name, flush to the disk, read back what was pickled, then rename: at every moment the
        newest file by this name is whole. Raises whatever the file system or the pickler raises."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".rank{self._rank}of{self._ranks}.writing"
        with draft.open("wb") as file:
            summed = _Summed(file)
            torch.save(tree, summed)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        torch.load(draft, map_location="cpu", weights_only=True, mmap=True)
        path = self.folder / f"step{step:010d}-rank{self._rank}of{self._ranks}-{summed.crc:08x}.pt"
        draft.replace(path)
        _flush_folder(self.folder)
        for old in sorted(self._mine())[:-_KEPT]:
            self._mine()[old].unlink(missing_ok=True)
        return path

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
        return [step for step, path in sorted(mine.items()) if _sum_of(path) == path.stem[-8:]]

    def torn(self) -> list[Path]:
        """The files whose contents are not what was written."""
        return [path for path in self._mine().values() if _sum_of(path) != path.stem[-8:]]

    def read(self, step: int) -> dict[str, Any]:
        """One whole snapshot, on the CPU."""
        tree: dict[str, Any] = torch.load(self._mine()[step], map_location="cpu", weights_only=True)
        return tree

    def newest(self) -> Path | None:
        """Where the newest snapshot lies."""
        mine = self._mine()
        return mine[max(mine)] if mine else None

    def _names(self) -> list[re.Match[str]]:
        if not self.folder.is_dir():
            return []
        return [match for entry in self.folder.iterdir() if (match := _NAME.fullmatch(entry.name))]

    def _mine(self) -> dict[int, Path]:
        own = [m for m in self._names() if (int(m[2]), int(m[3])) == (self._rank, self._ranks)]
        return {int(match[1]): self.folder / match[0] for match in own}


class _Summed:
    """A file that adds up its CRC-32 as it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.crc = 0

    def write(self, data: Any) -> int:
        self.crc = zlib.crc32(data, self.crc)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _sum_of(path: Path) -> str:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            crc = zlib.crc32(block, crc)
    return f"{crc:08x}"


def _flush_folder(folder: Path) -> None:
    """The renaming itself, too, is to survive a power cut; only POSIX can open a folder."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
