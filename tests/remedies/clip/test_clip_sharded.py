"""Clip on sharded parameters: two processes on the CPU find the norm and the gradients of one process alone."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor

from gradreach.engine.norms import norm_of_part, ranks_of_parts
from gradreach.remedies.clip import Adaptive, Auto, Clip, Norm, Percentile, PerLayer, Value, ZScore

RULES = (Norm(0.5), Value(0.01), PerLayer(0.1), Adaptive(0.01), Percentile(10), ZScore(warmup=2), Auto())


def backward(model: nn.Module, x: Tensor) -> None:
    model.zero_grad()
    model(x).square().sum().backward()


@pytest.mark.slow(5, "starts two processes that meet")
def test_two_processes_clip_as_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(process, (str(tmp_path / "meeting"),), nprocs=2)


def process(rank: int, meeting: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    try:
        for rule in RULES:
            fsdp_equals_one_process(rule)
        mixed_meshes_share_one_norm()
        what_cannot_be_measured_is_refused()
    finally:
        distributed.destroy_process_group()


def fsdp_equals_one_process(rule: object) -> None:
    torch.manual_seed(0)
    alone = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3), nn.Linear(3, 1)).double()  # the last: one row
    sharded = copy.deepcopy(alone)
    fully_shard(sharded, mesh=init_device_mesh("cpu", (2,)))
    ours = Clip(torch.optim.SGD(sharded.parameters(), 0.1), rule)
    theirs = Clip(torch.optim.SGD(alone.parameters(), 0.1), rule)
    for scale in (1.0, 5.0, 0.3, 2.0):
        x = scale * torch.randn(4, 5, dtype=torch.float64)
        backward(alone, x)
        backward(sharded, x)
        torch.testing.assert_close(ours(), theirs(), rtol=1e-10, atol=0)
        for p, q in zip(sharded.parameters(), alone.parameters(), strict=True):
            assert isinstance(p.grad, DTensor)
            torch.testing.assert_close(p.grad.full_tensor(), q.grad, rtol=1e-10, atol=0)


def mixed_meshes_share_one_norm() -> None:
    one, other = init_device_mesh("cpu", (2,)), init_device_mesh("cpu", (1, 2), mesh_dim_names=("replica", "shard"))
    torch.manual_seed(1)
    whole = [torch.randn(3, 4, dtype=torch.float64) for _ in range(4)]
    gradients = [
        distribute_tensor(whole[0].clone(), one, [Shard(0)]),
        distribute_tensor(whole[1].clone(), other, [Replicate(), Shard(1)]),
        distribute_tensor(whole[2].clone(), one, [Replicate()]),
        whole[3].clone(),
    ]
    parameters = [nn.Parameter(torch.zeros_like(g)) for g in gradients]
    part = norm_of_part(gradients)
    assert part is not None
    squares = part.square()
    torch.distributed.all_reduce(squares)
    torch.testing.assert_close(squares.sqrt(), torch.cat([w.flatten() for w in whole]).norm(), rtol=1e-12, atol=0)
    assert ranks_of_parts(gradients) == (0, 1)
    assert ranks_of_parts(whole) == ()
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = g
    norm = torch.cat([w.flatten() for w in whole]).norm()
    torch.testing.assert_close(Clip(parameters, 1.0)(), norm, rtol=1e-12, atol=0)
    for p, w in zip(parameters, whole, strict=True):
        now = p.grad.full_tensor() if isinstance(p.grad, DTensor) else p.grad
        torch.testing.assert_close(now, w / norm, rtol=1e-12, atol=0)


def what_cannot_be_measured_is_refused() -> None:
    mesh = init_device_mesh("cpu", (2,))
    parameter = nn.Parameter(distribute_tensor(torch.ones(4, 4), mesh, [Shard(1)]))
    parameter.grad = distribute_tensor(torch.ones(4, 4), mesh, [Shard(1)])
    with pytest.raises(ValueError, match="rule: Adaptive needs whole units"):
        Clip([parameter], Adaptive())()
    part = nn.Parameter(distribute_tensor(torch.ones(4), mesh, [Replicate()]))
    part.grad = DTensor.from_local(torch.ones(4), mesh, [Partial()])
    assert norm_of_part([part.grad]) is None
    with pytest.raises(ValueError, match="gradients: expected whole or split ones"):
        Clip([part], 1.0)()
