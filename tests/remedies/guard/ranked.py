"""One rank of two, with DistributedDataParallel, as a process of its own: `ranked.py RANK MEETING FOLDER FAULT…`.

Prints a line a fault: the step it started from, sums of weights and moments, counts, all-reduces made, how it ended.
"""

import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from gradreach.remedies.guard.events import GaveUp
from gradreach.remedies.guard.guard import Guard
from gradreach.remedies.guard.options import GuardPolicy, GuardSnapshots


class Counted:
    """dist.all_reduce, counted."""

    def __init__(self) -> None:
        self.calls, self._plain = 0, dist.all_reduce

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        return self._plain(*arguments, **named)


def faulty(loss: Tensor, model: nn.Module, fault: str, step: int) -> Tensor:
    """What befalls one rank's step."""
    if fault == "loss" and step in (30, 40, 41, 42):
        return loss * float("nan")
    if fault == "local" and step in (30, 40, 41, 42):
        return loss + (torch.full((), float("nan")) - loss).detach()  # its gradient is sound, on every rank
    if fault == "spike" and step == 30:
        return loss * 1e6
    if fault == "weight" and step == 35:
        next(model.parameters()).data[0, 0] = float("inf")
    return loss * float("nan") if fault == "endless" and step >= 30 else loss


def train(rank: int, folder: Path, fault: str) -> str:
    torch.manual_seed(0)
    model = DistributedDataParallel(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    guard = Guard(model, optimizer, policy=GuardPolicy(limit=6), snapshots=GuardSnapshots(every=10, folder=folder))
    start, end = guard.resume(), "to-the-end"
    counted: Any = Counted()
    dist.all_reduce, plain = counted, dist.all_reduce
    for step in range(start, 60):
        x = torch.randn(16, 4, generator=torch.Generator().manual_seed(2 * step + rank))
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        try:
            guard.step(faulty(loss, model, fault, step) if rank == 1 else loss)
        except GaveUp:
            end = "gave-up"
            break
    dist.all_reduce = plain
    total = sum(float(p.detach().double().sum()) for p in model.parameters())
    moments = sum(float(state["exp_avg"].double().sum()) for state in optimizer.state.values())
    counts = ",".join(f"{name}={count}" for name, count in guard.counts.items())
    return f"{fault} {start} {total:.17g} {moments:.17g} {counts} {counted.calls} {end}"


def main() -> None:
    rank, meeting, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    for fault in sys.argv[4:]:
        print(train(rank, folder / fault, fault))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
