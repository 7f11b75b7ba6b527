"""How much is to be done, and the same function over many cells, in one process or two."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

import torch

Cell = TypeVar("Cell")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Work:
    """What was asked on the command line; `filter` keeps the cells whose name holds it."""

    quick: bool
    full: bool
    jobs: int
    filter: str


def spread_out(measure: Callable[[Cell], Row], cells: Sequence[Cell], jobs: int) -> Iterator[Row]:
    """`measure` of every cell, in their order; each process uses one thread."""
    if jobs == 1:
        yield from map(measure, cells)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        yield from pool.map(measure, cells)
