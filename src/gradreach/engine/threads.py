"""The OpenMP threads that torch computes with on a CPU, to run something of ours on each of them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache

import torch

_HOME = os.getpid()


def team() -> Callable[[Callable[[], object], int], None] | None:
    """Runs a function once on each of so many of torch's threads, this one among them; None where there is no such way.

    The threads stay awake for milliseconds after each of torch's products; others would have to share the cores with
    them, which takes half its speed from a short sequence. A fork leaves them behind.
    """
    parallel = _parallel() if os.getpid() == _HOME else None
    if parallel is None:
        return None

    def run(work: Callable[[], object], threads: int) -> None:
        parallel(ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: work()), None, ctypes.c_uint(threads), _NO_FLAGS)

    return run


def on_every_thread(work: Callable[[], object]) -> None:
    """Run a function once on this thread, and on each other one that torch computes with where they can be reached."""
    threads = torch.get_num_threads()
    reach = team() if threads > 1 else None
    if reach is None:
        work()
    else:
        reach(work, threads)


_NO_FLAGS = ctypes.c_uint(0)


@cache
def _parallel() -> Callable[..., None] | None:
    try:
        return ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):
        return None
