"""Optimizers that step without any gradient, as a look hears of them."""

from __future__ import annotations

import copy

import torch
from torch import nn

from tests.watch.conftest import Watched


def idle(watched: Watched, *, of_a_copy: bool, closure: bool = False, two: bool = False) -> list[int]:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    used = copy.deepcopy(model) if of_a_copy else model
    held = [model, used] if two else [model]
    optimizers = [torch.optim.SGD(each.parameters(), 0.1) for each in held]

    def loss() -> torch.Tensor:
        return used(torch.randn(4, 3)).square().mean()

    def train() -> None:
        for _ in range(4):
            loss().backward()
            for optimizer in optimizers:
                optimizer.step(loss if closure else None)  # type: ignore[arg-type]

    _, record = watched(train)
    return [look.stepped.idle for look in record.looks if look.stepped is not None and look.stepped.steps]


def test_the_optimizer_of_the_weights_that_are_used_is_not_idle(watched: Watched) -> None:
    assert idle(watched, of_a_copy=False) == [0] * 4


def test_that_of_a_model_whose_copy_is_trained_is(watched: Watched) -> None:
    assert idle(watched, of_a_copy=True) == [2] * 4
    assert idle(watched, of_a_copy=True, two=True) == [2] * 4


def test_a_step_with_a_closure_may_compute_its_own(watched: Watched) -> None:
    assert idle(watched, of_a_copy=True, closure=True) == [0] * 4
