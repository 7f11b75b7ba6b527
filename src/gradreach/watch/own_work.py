"""Gradreach's own work while a script runs: its errors end in the record's notes, never in the script."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from types import TracebackType


class OwnWork:
    """A block that is our own work: `with own_work: …`. What it raises is handed to `note` as a sentence and goes no
    further. Blocks may stand within each other; `is_running` says whether one is open."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._depth = 0

    @property
    def is_running(self) -> bool:
        """Whether what happens now is not the script's doing."""
        return self._depth > 0

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._depth -= 1
        if not isinstance(error, Exception):
            return False
        self.tell(error)
        return True

    def tell(self, error: Exception) -> None:
        """Note an error, and the line of code that it came from."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{os.path.basename(place.filename)}:{place.lineno}"
        self._note(f"Part of a look failed and was left out: {type(error).__name__}: {error} ({where}).")
