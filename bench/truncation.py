"""One long sequence trained by truncated BPTT: time and memory beside the loop one writes by hand, beside one window
alone, beside exact BPTT at once and by checkpointing; and whether the loss falls.

A made signal, next-value prediction: rows of a sum of sinusoids with noise. Rivals take turns in one process, over a
stretch of the sequence; a ratio compares two times of the same turn. Peak memory is of a process of its own for each,
over the whole sequence. The tables go to stdout, progress to stderr.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from statistics import mean
from typing import Any

import torch
from timing import Work, against, in_turns, peak_memory, table
from torch import Tensor, nn

from gradreach.remedies.tbptt.bptt import bptt
from gradreach.remedies.tbptt.tbptt import tbptt

H = 64
ROWS = {"LSTM": 8, "RNN": 64}
"""B, so large that a window of the smaller RNN stands out of what malloc itself keeps."""
WINDOWS = ((256, 256), (128, 256))
FAMILIES = {"LSTM": nn.LSTM, "RNN": nn.RNN}
Trained = Callable[["Training", Tensor, int, int], list[float]]


def signal(T: int, B: int) -> Tensor:
    """(T + 1, B, 1): three sinusoids of random periods, from 8 to 512 steps, and phases in every row, and noise."""
    torch.manual_seed(0)
    time = torch.arange(T + 1).view(-1, 1, 1)
    period, phase = 8 * 64 ** torch.rand(1, B, 3), 2 * torch.pi * torch.rand(1, B, 3)
    return (2 * torch.pi * time / period + phase).sin().mean(-1, keepdim=True) + 0.05 * torch.randn(T + 1, B, 1)


class Training:
    """A recurrent layer and a head, learned by Adam."""

    def __init__(self, kind: str) -> None:
        torch.manual_seed(0)
        self.layer, self.head = FAMILIES[kind](1, H), nn.Linear(H, 1)
        self.optimizer = torch.optim.Adam([*self.layer.parameters(), *self.head.parameters()], lr=2e-3)

    def update(self, output: Tensor, y: Tensor) -> float:
        loss = nn.functional.mse_loss(self.head(output), y)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()


def by_tbptt(training: Training, s: Tensor, k1: int, k2: int) -> list[float]:
    windows = tbptt(s[:-1], s[1:], k1=k1, k2=k2, step=training.layer)
    return [training.update(window.output, window.y) for window in windows]


def by_hand(training: Training, s: Tensor, k1: int, k2: int) -> list[float]:
    """The loop as one writes it where k1 divides k2: the states at the last k2/k1 boundaries are kept."""
    x, y, losses = s[:-1], s[1:], []
    stood: list[Any] = [None]
    for start in range(0, len(x), k1):
        first = max(0, start + k1 - k2)
        stood = stood[-(k2 // k1) :]
        output, state = training.layer(x[first : start + k1], stood[0])
        stood.append(tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach())
        losses.append(training.update(output[start - first :], y[start : start + k1]))
    return losses


def one_window(training: Training, s: Tensor, _k1: int, k2: int) -> list[float]:
    """What any loop over windows must hold: k2 steps, forward and back; again and again, until malloc has settled."""
    return [training.update(training.layer(s[:k2])[0], s[1 : k2 + 1]) for _ in range((len(s) - 1) // k2)]


def full(training: Training, s: Tensor, _k1: int, _k2: int) -> list[float]:
    return [training.update(training.layer(s[:-1])[0], s[1:])]


def checkpointed(training: Training, s: Tensor, _k1: int, _k2: int) -> list[float]:
    return [training.update(bptt(s[:-1], step=training.layer)[0], s[1:])]


def limited(training: Training, s: Tensor, _k1: int, _k2: int) -> list[float]:
    """Seven times what the outputs take."""
    memory = 7 * H * s[:-1].nbytes
    return [training.update(bptt(s[:-1], step=training.layer, memory=memory)[0], s[1:])]


LOOPS: dict[str, Trained] = {"gr.tbptt": by_tbptt, "by hand": by_hand}
EXACT: dict[str, Trained] = {"full BPTT": full, "gr.bptt": checkpointed, "gr.bptt, memory=": limited}
ALL = LOOPS | EXACT | {"one window": one_window}


def work(kind: str, name: str, s: Tensor, k1: int, k2: int) -> Work:
    training = Training(kind)
    return lambda: ALL[name](training, s, k1, k2)


def memory_of(kind: str, name: str, T: int, k1: int, k2: int) -> float:
    """MiB at the peak of one pass over the sequence, in a process of its own."""
    command = [sys.executable, __file__, "--memory", kind, name, str(T), str(k1), str(k2)]
    # whatever is freed goes back to the system at once, so that what is held is what is used
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    result = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(result.stdout)


def own_memory(kind: str, name: str, T: int, k1: int, k2: int) -> float:
    s = signal(T, ROWS[kind])
    one_window(Training(kind), s[: k2 + 1], k1, k2)  # the libraries' own first use
    training = Training(kind)
    training.update(training.layer(s[:2])[0], s[1:3])  # the optimizer's state
    return peak_memory(lambda: ALL[name](training, s, k1, k2)) or float("nan")


def compare(kind: str, k1: int, k2: int, T: int, turns: int) -> None:
    few = signal(T, ROWS[kind])[: min(T, 8192) + 1]
    seconds = in_turns({name: work(kind, name, few, k1, k2) for name in LOOPS}, turns)
    alone = memory_of(kind, "one window", T, k1, k2)
    rows = [("", f"ms, {len(few) - 1} steps", "gr.tbptt ÷ this", f"peak MiB, {T} steps", "÷ one window")]
    for name, ms, ratio in against(seconds, "gr.tbptt"):
        peak = memory_of(kind, name, T, k1, k2)
        rows.append((name, ms, ratio, f"{peak:.2f}", f"{peak / alone:.2f}"))
    rows.append(("one window", "", "", f"{alone:.2f}", "1.00"))
    print(f"\n{kind}, B {ROWS[kind]}, H {H}, k1 {k1}, k2 {k2}; {torch.get_num_threads()} thread(s), median (min–max)")
    print(table(rows), flush=True)


def learn(kind: str, T: int) -> None:
    s = signal(T, ROWS[kind])
    losses = by_tbptt(Training(kind), s, 128, 256)
    share = max(1, len(losses) // 16)
    first, last = mean(losses[:share]), mean(losses[-share:])
    print(
        f"\n{kind}, {T} steps, B {ROWS[kind]}, k1 128, k2 256: "
        f"loss {first:.4f} in the first sixteenth, {last:.4f} in the last",
        flush=True,
    )


def exact(kind: str, T: int, turns: int) -> None:
    s = signal(T, ROWS[kind])
    seconds = in_turns({name: work(kind, name, s, 256, 256) for name in (*EXACT, "gr.tbptt")}, turns)
    rows = [("", "ms", "full BPTT's ÷ this", "peak MiB")]
    rows += [(*row, f"{memory_of(kind, row[0], T, 256, 256):.1f}") for row in against(seconds, "full BPTT")]
    print(
        f"\n{kind}, B {ROWS[kind]}, one pass over {T} steps; gr.tbptt with k1 = k2 = 256; "
        f"memory = {7 * H * s[:-1].nbytes / 2**20:.0f} MiB, seven times the outputs"
    )
    print(table(rows), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="8,192 steps in place of 65,536; 3 turns")
    parser.add_argument("--only", default="", metavar="KIND", help="LSTM or RNN alone")
    parser.add_argument("--memory", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if arguments.memory:
        kind, name, *counts = arguments.memory
        print(own_memory(kind, name, *map(int, counts)))
        return
    T, turns = (8192, 3) if arguments.quick else (65536, 9)
    for kind in FAMILIES:
        if arguments.only not in ("", kind):
            continue
        for k1, k2 in WINDOWS:
            print(f"{kind}, k1 {k1}, k2 {k2}", file=sys.stderr, flush=True)
            compare(kind, k1, k2, T, turns)
        print(f"{kind}, learning and exact BPTT", file=sys.stderr, flush=True)
        learn(kind, T)
        exact(kind, T, 1)


if __name__ == "__main__":
    main()
