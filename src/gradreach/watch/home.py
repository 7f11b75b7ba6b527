"""The process and the thread that are watched: a worker of the script's own, which inherits every hook, is not."""

from __future__ import annotations

import os
import threading


class Home:
    """Where this was made."""

    def __init__(self) -> None:
        self._process, self._thread = os.getpid(), threading.get_ident()

    def is_here(self) -> bool:
        """Whether what happens now happens in that process and thread."""
        return os.getpid() == self._process and threading.get_ident() == self._thread
