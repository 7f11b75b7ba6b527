"""Arithmetic without subnormal numbers, with which many CPUs compute tens of times slower.

Adjoints that vanish end there: below 1.2e-38 in float32 and 2.2e-308 in float64.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from gradreach.engine.threads import on_every_thread


@contextmanager
def flushed() -> Iterator[None]:
    """Within it, subnormal numbers count as 0 on this thread and on those that torch computes with.

    Each thread gets the mode back that it had. On a machine that cannot flush them, nothing changes.
    """
    turned: set[int] = set()

    def on() -> None:
        if not _flushes() and torch.set_flush_denormal(True):
            turned.add(threading.get_ident())

    def off() -> None:
        if threading.get_ident() in turned:
            torch.set_flush_denormal(False)

    on_every_thread(on)
    try:
        yield
    finally:
        on_every_thread(off)


def _flushes() -> bool:
    """Whether this thread's arithmetic takes subnormal numbers for 0; Python's floats follow the same mode."""
    return sys.float_info.min / 2 == 0.0
