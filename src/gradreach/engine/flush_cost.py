"""What subnormal numbers cost a piece of work on this CPU: it is timed with them and without them, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from gradreach.engine.subnormals import flushed

TURNS = 9
SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class FlushTurns:
    """Seconds of each turn: with subnormal numbers `kept` as they are, and with them `flushed` to 0."""

    kept: tuple[float, ...]
    flushed: tuple[float, ...]


def in_turns(
    work: Callable[[], object],
    *,
    most: int = TURNS,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> FlushTurns:
    """Do the work in up to `most` turns, each once with subnormal numbers kept and once with them flushed.

    The one that goes first changes from turn to turn, and one piece of work before them warms up. No turn begins that
    would end after `seconds` by the `clock` if it took as long as the one before. What the work raises is raised, and
    the mode of each thread is as it was, whatever happens.
    """
    kept: list[float] = []
    without: list[float] = []
    begin = clock()
    expected = 2 * _took(work, clock)
    for turn in range(most):
        began = clock()
        if began + expected > begin + seconds:
            break
        for flushes in (False, True) if turn % 2 == 0 else (True, False):
            if flushes:
                with flushed():
                    without.append(_took(work, clock))
            else:
                kept.append(_took(work, clock))
        expected = clock() - began
    return FlushTurns(tuple(kept), tuple(without))


def subnormal_product() -> object:
    """A matrix product that meets nothing but subnormal numbers: where it costs no more than with 0 in their place,
    this CPU computes with them as fast as with others."""
    return torch.mm(torch.full((64, 64), 1e-41), torch.full((64, 64), 0.5))


def _took(work: Callable[[], object], clock: Callable[[], float]) -> float:
    begin = clock()
    work()
    return clock() - begin
