"""Where an experiment works: its measurements spread over processes, with a progress bar, and the user's data."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

J = TypeVar("J")
R = TypeVar("R")

BETWEEN_LINES = 10.0
"""Seconds between the plain lines that stand for a progress bar where there is no terminal."""


@dataclass(frozen=True)
class Lab:
    """`jobs` processes, a bar unless `quiet`, and `data`, a folder of the user's own texts and test sets, or None.

    >>> Lab(quiet=True).spread(abs, [-1, 2], "numbers")
    [1, 2]
    """

    jobs: int = 1
    quiet: bool = False
    data: Path | None = None

    def spread(self, measure: Callable[[J], R], jobs: Sequence[J], what: str) -> list[R]:
        """`measure` of each job, in their order. Each runs on one thread, so that numbers do not depend on `jobs`.

        `measure` is a function of a module's top level and takes its seed from the job: nothing is shared.
        """
        if self.jobs == 1 or len(jobs) == 1:
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                return list(self._shown(map(measure, jobs), len(jobs), what))
            finally:
                torch.set_num_threads(threads)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.jobs, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(self._shown(pool.map(measure, jobs), len(jobs), what))

    def _shown(self, results: Iterable[R], n: int, what: str) -> Iterator[R]:
        if self.quiet:
            return iter(results)
        return _bar(results, n, what) if sys.stderr.isatty() else _lines(results, n, what)


def _bar(results: Iterable[R], n: int, what: str) -> Iterator[R]:
    from rich.console import Console
    from rich.progress import track

    return iter(track(results, what, n, console=Console(stderr=True), transient=True))


def _lines(results: Iterable[R], n: int, what: str) -> Iterator[R]:
    last = time.monotonic()
    for i, result in enumerate(results, 1):
        if time.monotonic() - last > BETWEEN_LINES or i == n:
            print(f"gradreach: {what}: {i} of {n}", file=sys.stderr)
            last = time.monotonic()
        yield result
