"""What watching adds to a step that is not looked at, part by part, and what each rule takes on a long recording.

The parts are timed on a training of a small network whose loss holds a root, a place where a slope can be infinite. The
whole is the same training under watch and without, in turns. The rules judge the recording that `report.py` makes up,
each with facts of its own, so that what several rules share is counted for each of them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import report
import timing
import torch
from torch import Tensor, nn

from gradreach.facts.facts import Facts
from gradreach.record import store
from gradreach.record.sinks.recorder import Recorder
from gradreach.record.sinks.sqlite import SqliteSink
from gradreach.rules.registry import RULES
from gradreach.watch import session as watching
from gradreach.watch.budget import Budget
from gradreach.watch.launch.launch import describe_run
from gradreach.watch.session import Session

WARM = 600
"""Steps before anything is timed: from then on norms are rare."""


class Training:
    """A network of three layers, AdamW, and a loss with a root in it."""

    def __init__(self, width: int, rows: int) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(20, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
                                   nn.Linear(width, 5))  # fmt: skip
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 1e-3)
        self.rows = rows

    def loss(self) -> Tensor:
        x = torch.randn(self.rows, 20)
        return (self.model(x) - x[:, :5]).square().mean().sqrt()

    def step(self) -> None:
        loss = self.loss()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def seconds_of(work: Callable[[], object], times: int) -> float:
    """Seconds of one call of the work."""
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times


def watched(folder: Path) -> Session:
    start = describe_run("bench", ())
    return Session(Recorder(start, [SqliteSink(folder / "rank0.sqlite", start)]), Budget(0.02))


def parts(folder: Path, turns: int) -> list[tuple[str, str]]:
    """Microseconds that each part adds to a step on which nothing is measured, in place: the parts are switched off in
    turn, for in a loop of their own they would find the caches warm."""
    session, training = watched(folder), Training(128, 64)
    for _ in range(WARM):
        training.step()
    session._schedule.due = 1 << 60
    session._schedule._look_plan.is_due = lambda: False  # type: ignore[method-assign]
    kind, seen, sound = type(training.model), torch.autograd.backward, watching.is_sound
    keeping = vars(kind)["__call__"]

    def switch(kept: bool, passes: bool, canary: bool) -> None:
        kind.__call__ = keeping if kept else nn.Module.__call__  # type: ignore[method-assign]
        torch.autograd.backward = seen if passes else seen.__wrapped__
        watching.is_sound = sound if canary else lambda _: True

    taken: dict[str, list[float]] = {"none": [], "passes": [], "canary": [], "all": []}
    for _ in range(turns):
        for name, each in taken.items():
            switch(kept=name == "all", passes=name != "none", canary=name in ("canary", "all"))
            each.append(seconds_of(training.step, 100))
    switch(kept=True, passes=True, canary=True)
    session.close()

    def added(name: str, without: str) -> str:
        return timing.spread([1e6 * (a - b) for a, b in zip(taken[name], taken[without], strict=True)], ".0f")

    return [
        ("the pass heard of, its loss read and written", added("passes", "none")),
        ("a gradient far from the loss tested", added("canary", "passes")),
        ("the call of the model kept", added("all", "canary")),
        ("all of them", added("all", "none")),
    ]


def whole(folder: Path, width: int, rows: int, steps: int, turns: int) -> tuple[str, str, str, str]:
    """A step under watch and plain, in turns, past the first steps; and the share that the session states."""
    ratios, plain, stated = [], [], []
    for turn in range(turns):
        taken = {}
        for name in ("plain", "watched"):
            session = watched(folder / f"{turn}") if name == "watched" else None
            training = Training(width, rows)
            for _ in range(WARM):
                training.step()
            began = time.perf_counter()
            for _ in range(steps):
                training.step()
            taken[name] = (time.perf_counter() - began) / steps
            if session is not None:
                session.close()
                stated.append(100 * session._schedule.budget.measured())
        plain.append(1e3 * taken["plain"])
        ratios.append(taken["watched"] / taken["plain"])
    return f"width {width}", timing.spread(plain, ".2f"), timing.spread(ratios, ".3f"), timing.spread(stated, ".1f")


def rules(folder: Path, steps: int) -> list[tuple[str, str]]:
    """Milliseconds that each rule takes, the dearest first."""
    made = store.read(report.record(folder, steps, looks=100, modules=100, layers=2, T=100))
    taken = {}
    for code, rule in RULES.items():
        taken[code] = []
        for _ in range(3):
            began = time.perf_counter()
            rule.judge(Facts(made))
            taken[code].append(time.perf_counter() - began)
    dearest = sorted(taken.items(), key=lambda pair: -median(pair[1]))
    return [(code, timing.spread([1e3 * each for each in found], ".1f")) for code, found in dearest]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1 turn, 1,000 steps each (half a minute)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    turns, steps = (1, 1000) if arguments.quick else (5, 4000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(timing.table([("part of a step", "µs"), *parts(folder / "parts", 5 * turns)]), end="\n\n")
        heads = ("network", "step plain, ms", "under watch ×", "stated, %")
        sizes = ((128, 64), (256, 256))
        print(timing.table([heads, *(whole(folder, *size, steps, turns) for size in sizes)]), end="\n\n")
        print(timing.table([("rule", f"ms on {5 * steps:,} steps"), *rules(folder / "rules", 5 * steps)]))


if __name__ == "__main__":
    main()
