"""What a fault does to a run: without a guard, with clip_grad_norm_ alone, and with gr.Guard.

A GRU learns to sum up a sequence. At step 250 of 400 the fault strikes; at the end the loss is taken on clean data, and
given in multiples of the undisturbed run's. The kill is a real one (SIGKILL), while the snapshot of that step is half
written; the run is then started again by the same command.
"""

from __future__ import annotations

import argparse
import logging
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import timing
import torch
from torch import Tensor, nn

import gradreach.remedies.guard.checkpoint as checkpoint
from gradreach.remedies.guard.events import GaveUp
from gradreach.remedies.guard.guard import Guard
from gradreach.remedies.guard.options import GuardSnapshots

STEPS, STRIKE, EVERY = 400, 250, 50


class Sums(nn.Module):
    """A GRU and a linear layer over its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 16)
        self.head = nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x)[0][-1])


class Stream:
    """Sequences (8, 16, 3) and the mean of their first feature, made from a position, which is all of its state."""

    def __init__(self) -> None:
        self.position = 0

    def batch(self) -> tuple[Tensor, Tensor]:
        self.position += 1
        x = torch.randn(8, 16, 3, generator=torch.Generator().manual_seed(self.position))
        return x, x[:, :, :1].mean(0)

    def state_dict(self) -> dict[str, int]:
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.position = state["position"]


@dataclass(frozen=True, slots=True)
class Fault:
    """For `steps` steps the input, target and loss are multiplied; at the first one a weight is overwritten."""

    steps: int = 1
    x: float = 1.0
    y: float = 1.0
    loss: float = 1.0
    weight: float | None = None

    def strikes(self, step: int) -> bool:
        return STRIKE <= step < STRIKE + self.steps


NONE = Fault(steps=0)
FAULTS = {
    "none": NONE,
    "a NaN batch": Fault(x=torch.nan),
    "an Inf weight": Fault(weight=torch.inf),
    "the loss × 1000, one step": Fault(loss=1000.0),
    "20 batches of NaN targets": Fault(steps=20, y=torch.nan),
    "20 batches of garbage × 1e4": Fault(steps=20, x=1e4, y=-1e4),
    "NaN targets for good": Fault(steps=STEPS, y=torch.nan),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The loss on clean data afterwards; what the guard counted, and the sentence with which it gave up."""

    loss: float
    counts: dict[str, int]
    gave_up: str = ""


def train(fault: Fault, loop: str, folder: str | None = None) -> Outcome:
    """One run. `loop`: "plain", "clipped" (clip_grad_norm_ to 1), or "guarded"; from a folder it goes on."""
    torch.manual_seed(0)
    model, data = Sums(), Stream()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    guard = (
        Guard(model, optimizer, snapshots=GuardSnapshots(EVERY, folder, {"data": data} if folder else None))
        if loop == "guarded"
        else None
    )
    first = guard.resume() if guard is not None and folder is not None else 0
    gave_up = ""
    for step in range(first, STEPS):
        x, y = data.batch()
        factor = 1.0
        if fault.strikes(step):
            x, y, factor = fault.x * x, fault.y * y, fault.loss
            if fault.weight is not None:
                with torch.no_grad():
                    model.head.weight[0, 0] = fault.weight
        loss = factor * (model(x) - y).square().mean()
        if guard is not None:
            try:
                guard.step(loss)
            except GaveUp as sentence:
                gave_up = str(sentence)
                break
            continue
        loss.backward()
        if loop == "clipped":
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return Outcome(held_out(model), guard.counts if guard is not None else {}, gave_up)


@torch.no_grad()
def held_out(model: Sums) -> float:
    """The loss on batches that no run trains on."""
    data = Stream()
    data.position = 1_000_000
    batches = [data.batch() for _ in range(20)]
    return float(torch.stack([(model(x) - y).square().mean() for x, y in batches]).mean())


def die_while_writing(step: int) -> None:
    """From here on, the process kills itself when half of the snapshot of `step` lies on the disk."""
    write = checkpoint.Checkpoints.write

    def deadly(self: Any, at: int, tree: Any) -> Any:
        if at == step:
            count = 0
            plain = checkpoint._ChecksumWriter.write

            def torn(self: Any, data: Any) -> int:
                nonlocal count
                count += 1
                if count == 5:
                    self._file.write(bytes(data)[: len(data) // 2])
                    self._file.flush()
                    signal.raise_signal(signal.SIGKILL)
                return plain(self, data)

            checkpoint._ChecksumWriter.write = torn  # type: ignore[method-assign]
        return write(self, at, tree)

    checkpoint.Checkpoints.write = deadly  # type: ignore[method-assign]


def killed(loop: str) -> tuple[Outcome, int]:
    """Kill a run while it writes the snapshot of step 250, start it again; its outcome, and where it went on."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child", folder]
        child = subprocess.run(command, capture_output=True, text=True, check=False)
        if child.returncode != -signal.SIGKILL:
            raise RuntimeError(f"expected the child to be killed, got exit code {child.returncode}\n{child.stderr}")
        whole = checkpoint.Checkpoints(Path(folder), 0, 1).whole()
        return train(NONE, loop, folder if loop == "guarded" else None), whole[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without the kill")
    parser.add_argument("--child", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logging.getLogger("gradreach").setLevel(logging.ERROR)
    if arguments.child:
        die_while_writing(STRIKE)
        train(NONE, "guarded", arguments.child)
        return
    loops = ("plain", "clipped", "guarded")
    calm = {loop: train(NONE, loop).loss for loop in loops}
    rows = [("fault", "without", "clip_grad_norm_", "guard", "good", "skipped", "rolled back")]
    sentences = []
    for name, fault in FAULTS.items():
        outcomes = {loop: train(fault, loop) for loop in loops}
        counts = outcomes["guarded"].counts
        told = [_told(outcomes[loop], calm[loop]) for loop in loops]
        rows.append((name, *told, *(str(counts[c]) for c in ("good", "skipped", "rolled_back"))))
        sentences += [outcomes["guarded"].gave_up] if outcomes["guarded"].gave_up else []
    if not arguments.quick:
        outcome, step = killed("guarded")
        told = _told(outcome, calm["guarded"])
        rows.append(("kill -9 while writing", "no snapshot", "no snapshot", f"{told}, from step {step}"))
        rows[-1] += ("", "", "")
    print(timing.table(rows))
    print("\nlosses on clean data in multiples of the undisturbed run's;", *sentences, sep="\n")


def _told(outcome: Outcome, calm: float) -> str:
    if outcome.gave_up:
        return f"gave up, {outcome.loss / calm:.2f} ×"
    return f"{outcome.loss / calm:.2f} ×" if isfinite(outcome.loss) else "lost (NaN)"


if __name__ == "__main__":
    main()
