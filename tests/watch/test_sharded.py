"""Under FSDP2 each rank holds parts: norms are the global ones, the recurrent layer is followed, a NaN ends nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradreach.record.store import rank_file, ranks, read
from tests import forked

TRAINING = """
import os, sys, torch
from torch import nn
from torch.distributed.fsdp import fully_shard

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.inner, self.head = nn.LSTM(4, 6, batch_first=True), nn.Linear(6, 6), nn.Linear(6, 1)

    def forward(self, x):
        return self.head(torch.tanh(self.inner(self.rnn(x)[0])))

def main(rank, meeting):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    torch.manual_seed(0)
    net = Net()
    for part in (net.rnn, net.inner, net):
        fully_shard(part)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    generator = torch.Generator().manual_seed(rank)
    for step in range(8):
        loss = net(torch.randn(3, 5, 4, generator=generator)).square().mean()
        (loss * float("nan") if step == 7 and rank == 1 else loss).backward()
        norm = sum(p.grad.full_tensor().double().square().sum() for p in net.parameters()).sqrt()
        os.write(1, f"{rank} {step} {float(loss.detach()):.17g} {float(norm):.17g}\\n".encode())
        optimizer.step()
        optimizer.zero_grad()
    torch.distributed.destroy_process_group()

if __name__ == "__main__":
    torch.multiprocessing.spawn(main, (sys.argv[1],), nprocs=2)
"""


@pytest.mark.slow(30, "starts twice two processes that import torch and meet")
def test_sharded_gradients_have_a_global_norm(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(TRAINING)
    plain = forked.run(script, tmp_path / "first", cwd=tmp_path)
    seen = forked.run("-m", "gradreach", "run", "--out", "out", script, tmp_path / "second", cwd=tmp_path)
    assert (seen.returncode, sorted(seen.stdout.split())) == (plain.returncode, sorted(plain.stdout.split()))
    assert seen.returncode == 0, seen.stderr
    told = {int(step): float(norm) for step, norm in re.findall(r"^1 (\d) \S+ (\S+)$", seen.stdout, re.MULTILINE)}
    assert ranks(tmp_path / "out") == (0, 1)
    for rank in (0, 1):
        record = read(rank_file(tmp_path / "out", rank))
        assert record.notes == ()
        assert {step.step: step.norm for step in record.steps} == pytest.approx(told, rel=1e-5, nan_ok=True)
        layer = record.looks[0].time[0]
        assert layer.module.endswith("rnn")
        assert layer.gradient_error is not None
        assert layer.gradient_error < 1e-5
