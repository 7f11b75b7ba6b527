"""Does the test find what is there? A dependency planted at one lag, and how many sequences it takes to be found."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import inputs
import models
import tasks
import torch
from intervals import interval, said
from work import Work, spread_out

from gradreach.score.dependency import dependency

LAGS = (1, 5, 20, 50, 100, 300)
STRENGTHS = {"strong": 0.5, "weak": 0.1}
"""Shares of the target's variance."""

SIZES = (16, 32, 64, 128, 256, 512)
WANTED, ALPHA = 0.95, 0.05
ROOM = 32
"""Steps past the lag: T = lag + `ROOM`."""

H, FLIPS = 16, 500

SHORT = (1, 5)
STATE, INPUTS = "inputs and state", "inputs"
"""What is held fixed. An untrained state remembers the last few inputs of one coordinate: what it holds, the readout
can learn, and the test rightly says nothing of it. Short lags are planted again with the inputs alone held fixed."""


@dataclass(frozen=True)
class Cell:
    """One planted lag; the number of sequences grows from `sizes[0]` until it is found in 95 % of the runs."""

    input: str
    lag: int
    strength: str
    given: str
    sizes: tuple[int, ...]
    runs: int
    seed: int


def cells(work: Work) -> list[Cell]:
    """Every combination; short lags and few runs where it must be quick."""
    kinds = [name for name in inputs.KINDS if name not in inputs.missing()]
    lags, sizes, runs = LAGS, SIZES, 200 if work.full else 20
    combinations = [(kind, lag, strength, STATE) for strength, lag, kind in product(STRENGTHS, lags, kinds)]
    combinations += [(*each, INPUTS) for each in product(kinds, SHORT, STRENGTHS)]
    if work.quick:
        combinations, sizes, runs = [(kind, 20, "strong", STATE) for kind in ("iid tokens", "AR(1) 0.9")], (64,), 8
    return [
        Cell(*each, sizes, runs, seed)
        for seed, each in enumerate(combinations)
        if work.filter in f"{each[0]}, lag {each[1]}, {each[2]}, {each[3]}"
    ]


def measure(cell: Cell) -> list[dict[str, Any]]:
    """A row a number of sequences: how often the planted lag's own band spoke, and how often any band beyond it."""
    torch.manual_seed(cell.seed)
    g = torch.Generator().manual_seed(cell.seed)
    task = tasks.planted(inputs.KINDS[cell.input], cell.lag, STRENGTHS[cell.strength], cell.lag + ROOM)
    net = models.Net("RNN", task, H)
    rows = []
    for N in cell.sizes:
        found, beyond, nearer, tested, began = 0, 0, 0, 0, time.perf_counter()
        for run in range(cell.runs):
            seen = models.look(net, task.draw(N, g))
            states = seen.states if cell.given == STATE else None
            lags = dependency(seen.errors, seen.inputs, states, flips=FLIPS, seed=run).lags
            spoke = [lag for lag in lags if lag.q <= ALPHA]
            found += any(lag.lag <= cell.lag <= lag.until for lag in spoke)
            beyond += any(lag.lag > cell.lag for lag in spoke)
            nearer += any(lag.until < cell.lag for lag in spoke)
            tested += any(lag.lag > cell.lag for lag in lags)
        seconds = (time.perf_counter() - began) / cell.runs
        row = {"N": N, "found": found, "beyond": beyond, "nearer": nearer, "tested": tested, "seconds": seconds}
        rows.append({**asdict(cell), "sizes": None, **row})
        if found >= WANTED * cell.runs:
            break
    return rows


def run(work: Work) -> Iterator[dict[str, Any]]:
    """All rows, with progress."""
    chosen = cells(work)
    for done, found in enumerate(spread_out(measure, chosen, work.jobs), 1):
        print(f"power {done}/{len(chosen)}: {_told(found[-1])}", file=sys.stderr, flush=True)
        yield from found


def _told(row: dict[str, Any]) -> str:
    return (
        f"{row['input']}, lag {row['lag']}, {row['strength']}, {row['given']} held: N {row['N']} finds {row['found']} "
        f"of {row['runs']}, beyond {row['beyond']}, nearer {row['nearer']} ({row['seconds']:.2f} s)"
    )


BEYOND = ("runs", "a band beyond spoke, %", "worst cell, %", "cells above 5 %", "a band short of it spoke, %")
"""The last one only counts against the test on iid input: where inputs are correlated, nearer ones rightly speak."""


def tables(rows: list[dict[str, Any]]) -> dict[str, list[list[str]]]:
    """`power`: a row an input and strength, a column a lag: the sequences needed; `power-beyond`: who spoke past it."""
    parts = ("input", "strength", "given")
    heads = ["input", "strength", "held fixed"]
    last = {(*(row[part] for part in parts), row["lag"]): row for row in rows}
    keys = list(dict.fromkeys(key[:-1] for key in last))
    lags = sorted({key[-1] for key in last})
    needed = [[*key, *(_needed(last.get((*key, lag))) for lag in lags)] for key in keys]
    beyond = [[*key, *_beyond([row for row in rows if tuple(row[part] for part in parts) == key])] for key in keys]
    return {
        "power": [[*heads, *(f"lag {lag}" for lag in lags)], *needed],
        "power-beyond": [[*heads, *BEYOND], *beyond],
    }


def _needed(row: dict[str, Any] | None) -> str:
    if row is None:
        return "–"
    rate = f"({100 * row['found'] / row['runs']:.0f} %)"
    return f"{row['N']} {rate}" if row["found"] >= WANTED * row["runs"] else f"> {row['N']} {rate}"


def _beyond(rows: list[dict[str, Any]]) -> list[str]:
    runs, hits = sum(row["tested"] for row in rows), sum(row["beyond"] for row in rows)
    worst = max(rows, key=lambda row: row["beyond"] / max(1, row["tested"]))
    above = sum(interval(row["beyond"], row["tested"])[0] > ALPHA for row in rows)
    nearer = said(sum(row["nearer"] for row in rows), sum(row["runs"] for row in rows))
    return [str(runs), said(hits, runs), said(worst["beyond"], worst["tested"]), f"{above} of {len(rows)}", nearer]
