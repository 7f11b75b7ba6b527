"""Rivals timed in turns in one process (A B C A B C …), so that whatever else the machine does falls on all of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

Work = Callable[[], object]


def in_turns(rivals: Mapping[str, Work], repeats: int) -> dict[str, list[float]]:
    """Wall seconds of every rival at every turn, after one turn that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(repeats + 1):
        for name, work in rivals.items():
            began = time.perf_counter()
            work()
            if turn > 0:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def peak_memory(work: Work) -> float | None:
    """MiB by which the work raises this process's memory at its peak; None where the system is not Linux."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from what is held now
    before = _resident("VmRSS")
    work()
    return max(0.0, _resident("VmHWM") - before)


def _resident(what: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 2**10


def spread(values: Sequence[float], form: str) -> str:
    """Median (min–max)."""
    return f"{median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def table(rows: Sequence[Sequence[str]]) -> str:
    """The rows in columns, the first one as heads."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * sum(widths, 2 * len(widths) - 2), *lines[1:]])


def against(seconds: Mapping[str, Sequence[float]], ours: str) -> list[tuple[str, str, str]]:
    """A row a rival: its milliseconds, and how many of its own times ours takes at the same turn."""
    rows = []
    for name, each in seconds.items():
        ratios = [mine / theirs for mine, theirs in zip(seconds[ours], each, strict=True)]
        rows.append((name, spread([1e3 * s for s in each], ".1f"), "" if name == ours else spread(ratios, ".2f")))
    return rows
