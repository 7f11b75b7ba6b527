"""A tiny RNN that trains for a few steps, watched or not: what the checks of hooks and of mixed precision look at."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from gradreach.observing import observe
from gradreach.record.schema import Record

STEPS = 4


@dataclass(frozen=True)
class TrialRun:
    """The weights after training, and the record of it where it was watched."""

    weights: tuple[Tensor, ...]
    record: Record | None


class Small(nn.Module):
    """A recurrent layer and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(3, 8)
        self.head = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        """One number for each sequence."""
        output: Tensor = self.head(self.rnn(x)[0][-1])
        return output


def train(*, watched: bool, device: str = "cpu", dtype: torch.dtype | None = None) -> TrialRun:
    """Train from the same seed for STEPS steps; under autocast where a `dtype` is named, on CUDA with a loss scaler.

    Generators are left as they were.
    """
    cuda = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=cuda), tempfile.TemporaryDirectory(prefix="gradreach-doctor-") as folder:
        torch.manual_seed(0)
        model = Small().to(device)
        watch = observe(model, every=1, out=Path(folder) / "record") if watched else None
        with watch or nullcontext():
            _steps(model, device, dtype)
        record = watch.record() if watch is not None else None
        return TrialRun(tuple(p.detach().clone() for p in model.parameters()), record)


def _steps(model: nn.Module, device: str, dtype: torch.dtype | None) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(12, 4, 3).to(device)
    kind = torch.device(device).type
    scaler = torch.amp.GradScaler(kind, enabled=dtype is not None and kind == "cuda")
    for _ in range(STEPS):
        optimizer.zero_grad()
        with torch.autocast(kind, dtype=dtype) if dtype is not None else nullcontext():
            loss = (model(x).float() - 1).square().mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
