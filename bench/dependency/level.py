"""Does the test hold its level? Inputs, models and training states with no dependency beyond lag 1, again and again.

One training a cell's input, model, target and place of the loss; a repetition is fresh data at those weights. While
training, a repetition gathers the batches of consecutive steps, of fresh data or of a few sequences seen again.
"""

from __future__ import annotations

import copy
import sys
import time
from collections import Counter, defaultdict
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

T, H, FLIPS = 40, 16, 500
ALPHA = 0.05
NOTHING_FROM = {"noise": 1, "near": 2, "near product": 2}
"""The first lag at which there is nothing, by target: what speaks from there on is a false alarm."""

SEQUENCES = {"every step": 32, "last step": 256}
"""Independent sequences of a repetition, by where the loss is taken."""

LOOKS = 8
"""Steps whose batches one repetition gathers while training; each holds as small a part of its sequences."""

HALF, WHOLE = 60, 300
STATES = ("untrained", "half-trained", "trained", "while training", "seen again")
TARGETS = ("noise", "near", "near product")
WHERES = ("every step", "last step")


@dataclass(frozen=True)
class Cell:
    """What is trained: the states that it passes through are tested one after the other."""

    input: str
    model: str
    target: tasks.Near
    where: tasks.Where
    states: tuple[str, ...]
    runs: int
    seed: int


def cells(quick: bool, full: bool, only: str) -> list[Cell]:
    """Every combination, repeated so often that input and state together are over 200 times, each of them where it may
    take long; a few combinations, seldom repeated, where it must be quick."""
    kinds = [name for name in inputs.KINDS if name not in inputs.missing()]
    combinations = [*product(kinds, models.KINDS, TARGETS, WHERES)]
    states, runs = STATES, 200 if full else 10
    if quick:
        turns = [(k, models.KINDS[i % 4], TARGETS[i % 3], "every step") for i, k in enumerate(kinds)]
        combinations, states, runs = turns, ("untrained", "while training"), 2
    return [
        Cell(*combination, states, runs, seed)
        for seed, combination in enumerate(combinations)
        if only in ", ".join(combination)
    ]


def measure(cell: Cell) -> list[dict[str, Any]]:
    """A row a training state: the cell, the runs, and the false alarms: of each band how often p ≤ 0.05, the runs with
    any q ≤ 0.05, and their share of all bands with q ≤ 0.05, summed over the runs."""
    torch.manual_seed(cell.seed)
    g = torch.Generator().manual_seed(cell.seed)
    task = tasks.independent(inputs.KINDS[cell.input], cell.target, cell.where, T)
    net = models.Net(cell.model, task, H)
    rows = []
    trained = 0
    for state in cell.states:
        wanted = {"untrained": 0, "half-trained": HALF, "trained": WHOLE}.get(state, HALF)
        if wanted < trained:
            torch.manual_seed(cell.seed)
            net, trained = models.Net(cell.model, task, H), 0
        models.train(net, task, wanted - trained, 32, g)
        trained = wanted
        rows.append(_repeated(cell, state, net, task, g))
    return rows


def _repeated(cell: Cell, state: str, net: models.Net, task: tasks.Task, g: torch.Generator) -> dict[str, Any]:
    tested: Counter[tuple[int, int]] = Counter()
    rejected: Counter[tuple[int, int]] = Counter()
    any_, share, untested, began = 0, 0.0, Counter[str](), time.perf_counter()
    nothing = NOTHING_FROM[cell.target]
    for run in range(cell.runs):
        seen, groups = _gathered(state, net, task, SEQUENCES[cell.where], g)
        errors, given, states = (list(part) for part in zip(*seen, strict=True))
        found = dependency(errors, given, states, groups=groups, flips=FLIPS, seed=run)
        null = [lag for lag in found.lags if lag.lag >= nothing]
        tested.update((lag.lag, lag.until) for lag in null)
        rejected.update((lag.lag, lag.until) for lag in null if lag.p <= ALPHA)
        false = sum(lag.q <= ALPHA for lag in null)
        any_ += false > 0
        share += false / max(1, sum(lag.q <= ALPHA for lag in found.lags))
        untested[found.why_not] += not found.lags
    bands = [{"lag": a, "until": b, "rejected": rejected[a, b], "tested": n} for (a, b), n in sorted(tested.items())]
    return {
        **asdict(cell), "states": None, "state": state, "any": any_, "share": share, "bands": bands,
        "untested": dict(+untested), "seconds": (time.perf_counter() - began) / cell.runs,
    }  # fmt: skip


def _gathered(
    state: str, net: models.Net, task: tasks.Task, N: int, g: torch.Generator
) -> tuple[list[models.Seen], list[torch.Tensor] | None]:
    """What one run of the test rests on, and the identities of its sequences where they come again."""
    if state not in ("while training", "seen again"):
        return [models.look(net, task.draw(N, g))], None
    net = copy.deepcopy(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    each = N // LOOKS
    whole = task.draw(N // 2, g)
    seen, groups = [], []
    for i in range(LOOKS if state == "while training" else 2 * LOOKS):
        which = torch.arange(each * i, each * (i + 1)) % (N // 2)
        batch = task.draw(each, g) if state == "while training" else tasks.Batch(*(part[which] for part in whole))
        seen.append(models.look(net, batch))
        groups.append(which)
        optimizer.step()
    return seen, groups if state == "seen again" else None


def run(work: Work) -> Iterator[dict[str, Any]]:
    """All rows, with progress."""
    chosen = cells(work.quick, work.full, work.filter)
    for name, why in inputs.missing().items():
        print(f"level: {name} left out: {why}", file=sys.stderr)
    for done, found in enumerate(spread_out(measure, chosen, work.jobs), 1):
        print(f"level {done}/{len(chosen)}: {', '.join(_told(row) for row in found)}", file=sys.stderr, flush=True)
        yield from found


def _told(row: dict[str, Any]) -> str:
    head = f"{row['input']}, {row['model']}, {row['target']}, {row['where']}: " if row["state"] == STATES[0] else ""
    return f"{head}{row['state']} {row['any']}/{row['runs']} ({row['seconds']:.2f} s)"


def tables(rows: list[dict[str, Any]]) -> dict[str, list[list[str]]]:
    """False alarms by input, by target and by model, each by training state; and whatever is surely above 5 %."""
    return {
        "level": _by(rows, ("input",)),
        "level-targets": _by(rows, ("target", "where")),
        "level-models": _by(rows, ("model",)),
        "level-excess": _excess(rows),
    }


def _groups(rows: list[dict[str, Any]], parts: tuple[str, ...]) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[part] for part in parts)].append(row)
    return groups


def _by(rows: list[dict[str, Any]], parts: tuple[str, ...]) -> list[list[str]]:
    head = [*parts, "state", "runs", "runs with a false q ≤ 0.05, %", "false share of all q ≤ 0.05, %",
            "bands with p ≤ 0.05, %"]  # fmt: skip
    groups = sorted(_groups(rows, (*parts, "state")).items(), key=lambda item: STATES.index(item[0][-1]))
    order = list(_groups(rows, parts))
    groups.sort(key=lambda item: order.index(item[0][:-1]))
    return [head, *([*key, *_summed(group)] for key, group in groups)]


def _summed(rows: list[dict[str, Any]]) -> list[str]:
    runs, hits = sum(row["runs"] for row in rows), sum(row["any"] for row in rows)
    bands = [band for row in rows for band in row["bands"]]
    rate = 100 * sum(b["rejected"] for b in bands) / max(1, sum(b["tested"] for b in bands))
    return [str(runs), said(hits, runs), f"{100 * sum(row['share'] for row in rows) / runs:.1f}", f"{rate:.1f}"]


def _excess(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Inputs × targets × places × states, all models together, whose interval lies wholly above 5 %; and the bands."""
    found = [["cell", "what", "rate, % [95 % interval]"]]
    for key, group in _groups(rows, ("input", "target", "where", "state")).items():
        runs, hits = sum(row["runs"] for row in group), sum(row["any"] for row in group)
        if interval(hits, runs)[0] > ALPHA:
            found.append([", ".join(key), "runs with a false q ≤ 0.05", said(hits, runs)])
        bands: dict[tuple[int, int], list[dict[str, int]]] = defaultdict(list)
        for band in (band for row in group for band in row["bands"]):
            bands[band["lag"], band["until"]].append(band)
        for (lag, until), each in sorted(bands.items()):
            rejected, tested = (sum(band[what] for band in each) for what in ("rejected", "tested"))
            if interval(rejected, tested)[0] > ALPHA:
                found.append([", ".join(key), f"p ≤ 0.05 of lags {lag}–{until}", said(rejected, tested)])
    return found
