"""A line on stderr about what takes its time once the script has ended: silence reads as a hang."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Timer

from gradreach.cli.output import fitting

PATIENCE = 1.0
"""Seconds after which it is said what is being done."""


def tell(line: str) -> None:
    """Print to stderr, which the program may have closed or taken away."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(fitting(line, at_a_terminal=sys.stderr.isatty()), file=sys.stderr, flush=True)


@contextmanager
def still_working(what: str, tell: Callable[[str], None] = tell, patience: float = PATIENCE) -> Iterator[None]:
    """Say what the block does, once it has taken longer than `patience`."""
    timer = Timer(patience, tell, (f"gradreach: {what}",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
