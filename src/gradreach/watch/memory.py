"""What memory watching may take beside the script's own, and how far it raised the process's peak."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

SHARE = 0.25
"""Of the most memory that the process itself has used so far, what watching may take where nothing else is said."""


class Memory:
    """The room that watching has, in bytes: what is `allowed`, or a share of the peak of the script's own use so far.

    `raised` is by how much our own work on looks has raised that peak, None before that is known. What is left out for
    lack of room is told to `note`, in a sentence, once for each thing that it is about.
    """

    def __init__(self, allowed: int | None = None, note: Callable[[str], object] = str) -> None:
        self.allowed = allowed
        self.raised: int | None = None
        self._note = note
        self._told: set[str] = set()

    def room(self, device: torch.device) -> int:
        """How many bytes a piece of our work may take at its peak on this device; no limit where nothing is known."""
        if self.allowed is not None:
            return self.allowed
        peak = peak_on(device)
        return sys.maxsize if peak is None else int(SHARE * max(peak - (self.raised or 0), 0))

    @contextmanager
    def measured(self, losses: Sequence[Tensor]) -> Iterator[None]:
        """A block of our own work on the device of these losses; by how much it raises the peak counts."""
        device = losses[0].device if losses else torch.device("cpu")
        before = peak_on(device)
        try:
            yield
        finally:
            after = peak_on(device)
            if before is not None and after is not None:
                self.raised = (self.raised or 0) + max(after - before, 0)

    def tell(self, what: str, sentence: str) -> None:
        """Say that there is no room for something, where nothing has been said of it before."""
        if what not in self._told:
            self._told.add(what)
            self._note(sentence)


def peak_on(device: torch.device) -> int | None:
    """The most bytes that this process has held so far on a device; None where that is not known."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    return _peak_of_host() if device.type == "cpu" else None


def _peak_of_host() -> int | None:
    """By what Linux says of this very program, for the other count goes on from the program that started it."""
    try:
        with open("/proc/self/status", "rb") as status:
            lines = [line for line in status if line.startswith(b"VmHWM:")]
        return int(lines[0].split()[1]) * 1024 if lines else None
    except OSError:
        return _peak_by_usage()


def _peak_by_usage() -> int | None:
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:  # on Windows
        return None
    return getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
