"""A guarded script, run as a process of its own: `restarting.py FOLDER STEPS [--nan] [--die-at STEP]`.

Prints where it started, and a digest of all that it ended with.
"""

import argparse
import hashlib
import random
import signal
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradreach.remedies.guard import checkpoint
from gradreach.remedies.guard.guard import Guard
from gradreach.remedies.guard.options import GuardSnapshots


class Data:
    """Batches by position; the position is what a restart must know."""

    def __init__(self, faulty: range) -> None:
        self.position = 0
        self._faulty = set(faulty)

    def batch(self) -> Tensor:
        self.position += 1
        x = torch.randn(16, 4, generator=torch.Generator().manual_seed(self.position))
        if self.position in self._faulty:
            self._faulty.remove(self.position)  # a fault strikes once
            return x * float("nan")
        return x

    def state_dict(self) -> dict[str, int]:
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.position = state["position"]


def die_at(step: int) -> None:
    """From here on, the process kills itself when a part of the snapshot of `step` is on the disk."""
    write, add = checkpoint.Checkpoints.write, checkpoint._ChecksumWriter.write

    def deadly(self: Any, at: int, tree: Any) -> Any:
        def torn(self: Any, data: Any) -> int:
            if self.crc == 0:
                return add(self, data)
            self._file.write(bytes(data)[: len(data) // 2])
            self._file.flush()
            signal.raise_signal(signal.SIGKILL)
            return 0

        if at == step:
            checkpoint._ChecksumWriter.write = torn
        return write(self, at, tree)

    checkpoint.Checkpoints.write = deadly


def digest(*trees: Any) -> str:
    """Of every tensor and number, bit by bit."""
    summed = hashlib.sha256()

    def add(tree: Any) -> None:
        if isinstance(tree, Tensor):
            summed.update(tree.detach().numpy().tobytes())
        elif isinstance(tree, dict):
            for key in sorted(tree, key=str):
                add(tree[key])
        elif isinstance(tree, list | tuple):
            for each in tree:
                add(each)
        else:
            summed.update(repr(tree).encode())

    for tree in trees:
        add(tree)
    return summed.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("steps", type=int)
    parser.add_argument("--nan", action="store_true")
    parser.add_argument("--die-at", type=int)
    arguments = parser.parse_args()
    if arguments.die_at is not None:
        die_at(arguments.die_at)
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100)
    data = Data(range(51, 54) if arguments.nan else range(0))
    kept = GuardSnapshots(every=20, folder=arguments.folder, keep={"data": data})
    guard = Guard(model, optimizer, scheduler=scheduler, snapshots=kept)
    start = guard.resume()
    while data.position < arguments.steps:
        x = data.batch()
        noise = random.random() + float(np.random.rand())
        guard.step((model(x) - x.sum(1, keepdim=True) - 0.01 * noise).square().mean())
    print(start, digest(model.state_dict(), optimizer.state_dict(), scheduler.state_dict(), torch.rand(1)))


if __name__ == "__main__":
    main()
