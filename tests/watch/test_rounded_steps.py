"""What rounding leaves of steps over weights in half precision, held against the same step in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.seen.half import RoundedStep
from gradreach.watch.rounded_steps import RoundedSteps
from tests.watch.conftest import Watched

Make = Callable[[Iterable[Tensor]], torch.optim.Optimizer]


def weights(dtype: torch.dtype) -> nn.Parameter:
    torch.manual_seed(3)
    return nn.Parameter((torch.rand(400) + 0.5).to(dtype))


def stepped(make: Make, dtype: torch.dtype, *, gradients: int = 3) -> tuple[RoundedStep, Tensor, Tensor, Tensor]:
    """What was told of the last step, the weights before it, its gradient, and Δw as float32 would have it."""
    p = weights(dtype)
    optimizer = make([p])
    for _ in range(gradients - 1):
        p.grad = (torch.randn(400) * torch.logspace(-2, 0, 400)).to(dtype)
        optimizer.step()
    p.grad = (torch.randn(400) * torch.logspace(-2, 0, 400)).to(dtype)
    wide = nn.Parameter(p.detach().float())
    wide.grad = p.grad.float()
    other = make([wide])
    other.load_state_dict(deepcopy(optimizer.state_dict()))
    before = p.detach().clone()
    heard = RoundedSteps()
    heard.before(optimizer, optimizer.param_groups[0], [p])
    optimizer.step()
    heard.after(optimizer)
    other.step()
    return heard.told[0], before, p.grad.float(), wide.detach() - before.float()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=3e-3),
        lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9, weight_decay=0.1),
        lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9, nesterov=True),
        lambda p: torch.optim.SGD(p, lr=1e-3, maximize=True),
        lambda p: torch.optim.Adam(p, lr=2e-3, betas=(0.9, 0.9), eps=1e-3),
        lambda p: torch.optim.Adam(p, lr=2e-3, betas=(0.9, 0.9), eps=1e-3, amsgrad=True),
        lambda p: torch.optim.AdamW(p, lr=1e-3, betas=(0.9, 0.9), eps=1e-3, weight_decay=0.0, foreach=True),
    ],
)
def test_what_a_step_asks_for_and_what_is_lost_of_it_is_what_float32_says(make: Make, dtype: torch.dtype) -> None:
    told, before, gradient, change = stepped(make, dtype)
    lost = (before.float() + change).to(dtype) == before
    pull = (gradient * change).abs()
    assert (told.elements, told.of, told.dtype) == (400, 400, str(dtype).removeprefix("torch."))
    assert told.asked == pytest.approx((change.norm() / before.float().norm()).item(), rel=0.02)
    assert told.lost == pytest.approx(lost.float().mean().item(), abs=0.02)
    assert told.weighed == pytest.approx((pull[lost].sum() / pull.sum()).item(), abs=0.02)


def test_a_weight_without_a_gradient_is_not_lost() -> None:
    p = nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    p.grad = torch.tensor([0.0, 0.0, 1e-4, 1.0], dtype=torch.bfloat16)
    optimizer = torch.optim.SGD([p], lr=0.5)
    heard = RoundedSteps()
    heard.before(optimizer, optimizer.param_groups[0], [p])
    optimizer.step()
    heard.after(optimizer)
    assert heard.told[0].lost == 0.5
    assert heard.told[0].weighed == pytest.approx(1e-8 / (1 + 1e-8), rel=0.02)


def heard_of(watched: Watched, train: Callable[[], Any]) -> list[RoundedStep]:
    return [each for look in watched(train)[1].looks if look.stepped is not None for each in look.stepped.rounded]


def training(net: nn.Module, make: Make, dtype: torch.dtype) -> Callable[[], None]:
    def train() -> None:
        optimizer = make(list(net.parameters()))
        for _ in range(3):
            optimizer.zero_grad()
            net(torch.randn(8, 4, dtype=dtype)).float().square().mean().backward()
            optimizer.step()

    return train


def test_a_watched_run_tells_of_each_step_that_it_looked_at(watched: Watched) -> None:
    net = nn.Linear(4, 3).bfloat16()
    told = heard_of(watched, training(net, lambda p: torch.optim.Adam(p, lr=1e-6), torch.bfloat16))
    assert [(each.optimizer, each.elements, each.of) for each in told] == [("Adam", 15, 15)] * 3
    assert all(each.weighed > 0.9 for each in told)


class OwnCopies(torch.optim.SGD):
    """Steps weights in float32 that it keeps, of which those of the model are rounded copies."""


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda p: torch.optim.Adam(p, lr=1e-6), torch.float32),
        (lambda p: torch.optim.Adam(p, lr=0.0), torch.bfloat16),
        (lambda p: torch.optim.Adagrad(p, lr=1e-6), torch.bfloat16),
        (lambda p: OwnCopies(p, lr=1e-6), torch.bfloat16),
    ],
    ids=["float32", "a rate of 0", "steps that are not known", "a class of the script's own"],
)
def test_nothing_is_told_of(make: Make, dtype: torch.dtype, watched: Watched) -> None:
    assert heard_of(watched, training(nn.Linear(4, 3).to(dtype), make, dtype)) == []


def test_nothing_is_told_where_a_float32_copy_is_stepped(watched: Watched) -> None:
    net = nn.Linear(4, 3).bfloat16()
    copies = [p.detach().float().requires_grad_() for p in net.parameters()]

    def train() -> None:
        optimizer = torch.optim.SGD(copies, lr=1e-6)
        for _ in range(3):
            net.zero_grad()
            net(torch.randn(8, 4, dtype=torch.bfloat16)).float().square().mean().backward()
            for copy, p in zip(copies, net.parameters(), strict=True):
                copy.grad = None if p.grad is None else p.grad.float()
            optimizer.step()
            with torch.no_grad():
                for copy, p in zip(copies, net.parameters(), strict=True):
                    p.copy_(copy)

    assert heard_of(watched, train) == []


def test_a_step_that_is_not_finite_is_not_judged() -> None:
    p = nn.Parameter(torch.ones(4, dtype=torch.float16))
    p.grad = torch.tensor([1.0, torch.inf, 0.0, 1.0], dtype=torch.float16)
    optimizer = torch.optim.SGD([p], lr=1e-6)
    heard = RoundedSteps()
    heard.before(optimizer, optimizer.param_groups[0], [p])
    optimizer.step()
    heard.after(optimizer)
    assert heard.told == []
