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

from gradreach.engine.norms import global_norm
from gradreach.facts.facts import Facts
from gradreach.record import store
from gradreach.record.sinks.recorder import Recorder
from gradreach.record.sinks.sqlite import SqliteSink
from gradreach.rules.registry import RULES
from gradreach.watch.budget import Budget
from gradreach.watch.launch.launch import describe_run
from gradreach.watch.patches import BackwardCall
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


def seconds_of(work: Callable[[], object], times: int = 500, repeats: int = 9) -> list[float]:
    """Seconds of one call of the work, over several rounds."""
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        for _ in range(times):
            work()
        found.append((time.perf_counter() - began) / times)
    return found


def watched(folder: Path) -> Session:
    start = describe_run("bench", ())
    return Session(Recorder(start, [SqliteSink(folder / "rank0.sqlite", start)]), Budget(0.02))


def block(session: Session) -> None:
    with session._own_work:
        pass


def parts(folder: Path) -> list[tuple[str, str]]:
    """Microseconds of each part of an unmeasured step."""
    session, training = watched(folder), Training(128, 64)
    for _ in range(WARM):
        training.step()
    loss, x = training.loss(), torch.randn(64, 20)
    call = BackwardCall(lambda *_: None, ((loss,),), {})
    alarm, kept, steps, sites = session._alarm, session._kept, session._steps, session._sites
    session._schedule.due = 1 << 60
    session._schedule._look_plan.is_due = lambda: False  # type: ignore[method-assign]

    def unmeasured() -> None:
        steps.count += 1
        session._unmeasured(call)

    def called() -> None:
        training.model(x)
        kept.drop()

    def armed(on: bool) -> Callable[[], None]:
        def run() -> None:
            kept.is_armed = on
            called()

        return run

    rows = {
        "all of an unmeasured step but the kept call": seconds_of(unmeasured),
        "the fence around one block": seconds_of(lambda: block(session)),
        "the loss tested, the landmark held": seconds_of(lambda: alarm.before(0, (loss,), may_wait=False)),
        "a gradient far from the loss tested": seconds_of(lambda: session._gradient_is_broken(0)),
        "the step opened, closed and written": seconds_of(lambda: (steps.settle(), steps.pass_by(0, (loss,)))),
        "the norm of all gradients": seconds_of(lambda: global_norm(sites.gradients(0))),
    }
    keeping, free = seconds_of(armed(True), 200), seconds_of(armed(False), 200)
    rows["a call of the model kept"] = [one - other for one, other in zip(keeping, free, strict=True)]
    session.close()
    return [(name, timing.spread([1e6 * each for each in found], ".1f")) for name, found in rows.items()]


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
        if rule.judge is not None:
            judge, found = rule.judge, []
            for _ in range(3):
                began = time.perf_counter()
                judge(Facts(made))
                found.append(time.perf_counter() - began)
            taken[code] = found
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
        print(timing.table([("part of a step", "µs"), *parts(folder / "parts")]), end="\n\n")
        heads = ("network", "step plain, ms", "under watch ×", "stated, %")
        sizes = ((128, 64), (256, 256))
        print(timing.table([heads, *(whole(folder, *size, steps, turns) for size in sizes)]), end="\n\n")
        print(timing.table([("rule", f"ms on {5 * steps:,} steps"), *rules(folder / "rules", 5 * steps)]))


if __name__ == "__main__":
    main()
