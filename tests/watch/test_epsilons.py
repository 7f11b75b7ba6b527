"""The eps of optimizers like Adam beside the roots of their second moments, as read after the step after a look."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from gradreach.record.seen.loop import Epsilon
from tests.watch.conftest import Watched

EPS = 1e-3


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))


def trained(make: Any, watched: Watched, model: nn.Module | None = None) -> tuple[list[Epsilon], torch.optim.Optimizer]:
    """What was told at each of four looks, and the optimizer as it stands after them."""
    model = model or net()
    optimizer = make(model.parameters())

    def train() -> None:
        for _ in range(4):
            optimizer.zero_grad()
            model(torch.randn(6, 4)).square().mean().backward()
            optimizer.step()

    looks = watched(train)[1].looks
    return [each for look in looks if look.stepped is not None for each in look.stepped.epsilons], optimizer


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        *(("Adam", "exp_avg_sq"), ("AdamW", "exp_avg_sq"), ("NAdam", "exp_avg_sq"), ("RAdam", "exp_avg_sq")),
        *(("RMSprop", "square_avg"), ("Adagrad", "sum")),
    ],
)
def test_the_roots_are_corrected_as_the_optimizer_does(kind: str, key: str, watched: Watched) -> None:
    told, optimizer = trained(lambda p: getattr(torch.optim, kind)(p, lr=1e-2, eps=EPS), watched)
    assert len(told) == 4
    weight = 1 - 0.999**4 if key == "exp_avg_sq" else 1.0
    roots = torch.cat([state[key].flatten() for state in optimizer.state.values()]).div(weight).sqrt()
    last = told[-1]
    assert (last.optimizer, last.eps, last.rate, last.elements) == (kind, EPS, 1e-2, 31)
    assert last.root == pytest.approx(roots.median().item(), rel=1e-5)
    assert last.below == pytest.approx((roots < EPS).float().mean().item(), abs=1e-6)


@pytest.mark.parametrize("more", [{"amsgrad": True}, {"foreach": True}, {"capturable": False, "fused": True}])
def test_whatever_way_it_is_computed(more: dict[str, Any], watched: Watched) -> None:
    told, _ = trained(lambda p: torch.optim.Adam(p, eps=EPS, **more), watched)
    plain, _ = trained(lambda p: torch.optim.Adam(p, eps=EPS), watched)
    assert [each.root for each in told] == pytest.approx([each.root for each in plain], rel=0.05)


def test_each_group_has_its_own(watched: Watched) -> None:
    model = net()

    def make(_: Any) -> torch.optim.Optimizer:
        first: dict[str, Any] = {"params": model[0].parameters(), "eps": 0.1}
        groups = [first, {"params": model[2].parameters()}]
        return torch.optim.Adam(groups, eps=EPS)

    told, _ = trained(make, watched, model)
    assert [(each.eps, each.elements) for each in told[:2]] == [(0.1, 25), (EPS, 6)]


@pytest.mark.parametrize("kind", ["SGD", "Adadelta", "Adamax", "Rprop"])
def test_nothing_is_told_of_an_optimizer_that_adds_no_eps_to_a_root(kind: str, watched: Watched) -> None:
    assert trained(lambda p: getattr(torch.optim, kind)(p, lr=1e-2), watched)[0] == []


def test_nothing_is_told_of_an_optimizer_that_is_not_torchs(watched: Watched) -> None:
    class Own(torch.optim.Optimizer):
        def __init__(self, parameters: Any) -> None:
            super().__init__(parameters, {"lr": 1e-2, "eps": EPS})

        def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002
            for p in self.param_groups[0]["params"]:
                self.state[p]["exp_avg_sq"] = p.grad.square()

    assert trained(Own, watched)[0] == []
