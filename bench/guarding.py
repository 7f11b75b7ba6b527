"""What the guard costs a step, over the same step with clip_grad_norm_, with gr.Clip, and with neither.

The rivals take single steps in turns, each on a model of its own; ratios are of two steps of the same turn. Times are
the processor's, steadier than the clock's where the machine has other work. Snapshots in memory are timed apart, since
they fall on every 100th step alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from statistics import median, quantiles

import timing
import torch
from torch import Tensor, nn

from gradreach.remedies.clip import Clip
from gradreach.remedies.guard.guard import Guard
from gradreach.remedies.guard.options import GuardSnapshots

TURNS = {"LSTM": 200, "CNN": 200, "small tensors": 600}
WARM_UP = 25
"""Steps after which the windows of the guard and of the clip are in use."""


class LanguageModel(nn.Module):
    """Embedding, LSTM and softmax layer; T 35, B 20, H 200, as in Zaremba et al. 2014, vocabulary 1,000."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1000, 200)
        self.lstm = nn.LSTM(200, 200, 2)
        self.head = nn.Linear(200, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(self.embedding(x))[0]).flatten(0, 1)


def convolutions() -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 16, 10))


def small_tensors() -> nn.Module:
    """200 parameter tensors of 32 × 32 and 32 elements."""
    return nn.Sequential(*(nn.Sequential(nn.Linear(32, 32), nn.Tanh()) for _ in range(100)), nn.Linear(32, 10))


def task(name: str) -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    """A model, and its loss on one batch."""
    torch.manual_seed(0)
    if name == "LSTM":
        x, y = torch.randint(1000, (35, 20)), torch.randint(1000, (35 * 20,))
        return LanguageModel(), lambda model: nn.functional.cross_entropy(model(x), y)
    x, y = (torch.randn(32, 3, 32, 32), torch.randint(10, (32,))) if name == "CNN" else (torch.randn(64, 32), None)
    y = torch.randint(10, (len(x),))
    model = convolutions() if name == "CNN" else small_tensors()
    return model, lambda model: nn.functional.cross_entropy(model(x), y)


def plain(name: str, clipped: str) -> Callable[[], object]:
    """One step of a loop with clip_grad_norm_, with gr.Clip, or without clipping."""
    model, loss = task(name)
    optimizer = torch.optim.SGD(model.parameters(), 1e-2, momentum=0.9)
    clip = Clip(optimizer) if clipped == "gr.Clip" else None
    parameters = list(model.parameters())

    def step() -> None:
        loss(model).backward()
        if clipped == "clip_grad_norm_":
            nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        elif clip is not None:
            clip()
        optimizer.step()
        optimizer.zero_grad()

    return step


def guarded(name: str) -> tuple[Callable[[], object], Guard]:
    """One step of the guarded loop, snapshots left out, and its guard."""
    model, loss = task(name)
    guard = Guard(model, torch.optim.SGD(model.parameters(), 1e-2, momentum=0.9), snapshots=GuardSnapshots(every=10**9))
    return lambda: guard.step(loss(model)), guard


def in_turns(rivals: Mapping[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Processor seconds of every rival's every step, after some steps that are not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(turns + WARM_UP):
        for name, step in rivals.items():
            began = time.process_time()
            step()
            if turn >= WARM_UP:
                seconds[name].append(time.process_time() - began)
    return seconds


def snapshot(guard: Guard, repeats: int) -> list[float]:
    """Seconds for one snapshot in memory, its room there already."""
    seconds = []
    for _ in range(repeats + 2):
        began = time.process_time()
        guard._recovery.snapshots.take(guard._state)
        seconds.append(time.process_time() - began)
    return seconds[2:]


def middle(values: list[float], form: str) -> str:
    """Median (quartiles)."""
    low, _, high = quantiles(values, n=4)
    return f"{median(values):{form}} ({low:{form}}–{high:{form}})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a quarter of the turns")
    parser.add_argument("--models", nargs="+", choices=TURNS, default=list(TURNS))
    arguments = parser.parse_args()
    rows = [("model", "loop", "step, ms", "guarded step ×", "guard's own, ms")]
    notes = []
    for name in arguments.models:
        print(f"{name} …", file=sys.stderr, flush=True)
        ours, guard = guarded(name)
        rivals = {loop: plain(name, loop) for loop in ("none", "clip_grad_norm_", "gr.Clip")}
        turns = TURNS[name] // (4 if arguments.quick else 1)
        seconds = in_turns({**rivals, "guard": ours}, turns)
        for loop, each in seconds.items():
            pairs = list(zip(seconds["guard"], each, strict=True))
            ratio = middle([mine / theirs for mine, theirs in pairs], ".3f") if loop != "guard" else ""
            more = middle([1e3 * (mine - theirs) for mine, theirs in pairs], ".3f") if loop != "guard" else ""
            rows.append((name, loop, middle([1e3 * s for s in each], ".2f"), ratio, more))
        taken = median(snapshot(guard, 20))
        share = taken / 100 / median(seconds["clip_grad_norm_"])
        notes.append(f"{name}: a snapshot takes {1e3 * taken:.2f} ms, every 100 steps {100 * share:.2f} % of the time")
    threads = os.environ.get("OMP_NUM_THREADS", "torch's own choice of")
    print(f"median (quartiles) over single steps in turns, {os.cpu_count()} cores, {threads} thread(s)\n")
    print(timing.table(rows), *notes, sep="\n")


if __name__ == "__main__":
    main()
