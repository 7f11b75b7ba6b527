"""What asking the data costs: one test against one training step, and whole trainings watched and not, in turns."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import models
import tasks
import torch
from work import Work

import gradreach as gr
from gradreach.score.dependency import dependency

sys.path.append(str(Path(__file__).parents[1]))
import timing

BATCH, H, STEPS = 64, 64, 200
FLIPS = 2000
SIZES = (64, 256, 1024)


def shapes(quick: bool) -> dict[str, tuple[str, tasks.Task]]:
    """A model and a task each."""
    adding = {"RNN, adding, T 100": ("RNN", tasks.adding(100))}
    if quick:
        return adding
    return adding | {
        "LSTM, adding, T 200": ("LSTM", tasks.adding(200)),
        "LSTM, copy, delay 100": ("LSTM", tasks.copying(100)),
        "transformer, two steps back, T 64": ("transformer", tasks.short("iid tokens", 64)),
    }


def run(work: Work) -> Iterator[dict[str, Any]]:
    """A row a shape."""
    for name, (model, task) in shapes(work.quick).items():
        if work.filter not in name:
            continue
        print(f"cost: {name}", file=sys.stderr, flush=True)
        yield {"shape": name, **_tests(model, task, work.quick), **_watched(model, task, work.quick)}


def _tests(model: str, task: tasks.Task, quick: bool) -> dict[str, Any]:
    """Seconds of a training step, and of one test of so many sequences."""
    torch.manual_seed(0)
    g = torch.Generator().manual_seed(0)
    net = models.Net(model, task, H)
    optimizer, batch = torch.optim.Adam(net.parameters()), task.draw(BATCH, g)
    sizes = SIZES[:1] if quick else SIZES
    rivals: dict[str, timing.Work] = {"step": lambda: models.step(net, batch, optimizer)}
    for N in sizes:
        seen = [models.look(net, task.draw(BATCH, g)) for _ in range(N // BATCH)]
        errors, inputs, states = (list(part) for part in zip(*seen, strict=True))
        rivals[str(N)] = lambda e=errors, x=inputs, h=states: dependency(e, x, h, flips=FLIPS)
    seconds = timing.in_turns(rivals, 2 if quick else 5)
    return {"step": seconds.pop("step"), "tests": seconds}


def _watched(model: str, task: tasks.Task, quick: bool) -> dict[str, Any]:
    """Seconds of a training plain and watched, turn by turn, and the shares of the time that the record states."""
    stated: list[float] = []
    looks: list[int] = []

    def plain() -> None:
        torch.manual_seed(0)
        models.train(models.Net(model, task, H), task, steps, BATCH, torch.Generator().manual_seed(0))

    def watched() -> None:
        torch.manual_seed(0)
        net = models.Net(model, task, H)
        with gr.observe(net) as watch:
            models.train(net, task, steps, BATCH, torch.Generator().manual_seed(0))
        record = watch.record()
        assert record.overhead is not None
        stated.append(record.overhead.measured)
        looks.append(len(record.looks))

    steps = 50 if quick else STEPS
    seconds = timing.in_turns({"plain": plain, "watched": watched}, 1 if quick else 5)
    return {"steps": steps, **seconds, "stated": stated[1:], "looks": looks[1:]}


def tables(rows: list[dict[str, Any]]) -> dict[str, list[list[str]]]:
    """`cost`: one test in training steps; `cost-watched`: a training watched under the default budget against plain."""
    sizes = list(rows[0]["tests"]) if rows else []
    tests = [
        [row["shape"], timing.spread([1e3 * s for s in row["step"]], ".1f"), *(_told(row, N) for N in sizes)]
        for row in rows
    ]
    watched = [
        [row["shape"], str(row["steps"]), timing.spread(row["plain"], ".2f"),
         timing.spread([w / p for w, p in zip(row["watched"], row["plain"], strict=True)], ".3f"),
         timing.spread([100 * s for s in row["stated"]], ".1f"), timing.spread([float(n) for n in row["looks"]], ".0f")]
        for row in rows
    ]  # fmt: skip
    return {
        "cost": [["shape", "training step, ms", *(f"test of {N} sequences, ms" for N in sizes)], *tests],
        "cost-watched": [["shape", "steps", "plain, s", "watched ×", "stated, %", "looks"], *watched],
    }


def _told(row: dict[str, Any], N: str) -> str:
    test, step = median(row["tests"][N]), median(row["step"])
    return f"{1e3 * test:.0f} ({test / step:.1f} steps)"
