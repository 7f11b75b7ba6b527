"""What weight decay does to a weight beside the gradient, as heard at the optimizer's step after a look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.seen.loop import Decay
from tests.watch.conftest import Watched

STRENGTH, RATE = 0.5, 0.05
Make = Callable[..., torch.optim.Optimizer]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))


def trained(make: Make, watched: Watched) -> tuple[list[Decay], list[tuple[Tensor, Tensor, Tensor]]]:
    """What was told of the first layer's weight, and at each step the weight, its gradient and the weight after."""
    model, seen = net(), []

    def train() -> None:
        optimizer = make(model.parameters())
        for _ in range(6):
            optimizer.zero_grad()
            model(torch.randn(6, 4)).square().mean().backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            weight = next(model.parameters())
            gradient = torch.zeros(()) if weight.grad is None else weight.grad.clone()
            before = weight.detach().clone()
            optimizer.step()
            seen.append((before, gradient, weight.detach().clone()))

    looks = watched(train)[1].looks
    told = [each for look in looks if look.stepped is not None for each in look.stepped.decays]
    assert {each.name for each in told} <= {"model.0.weight", "model.2.weight"}, "no bias"
    return [each for each in told if each.name == "model.0.weight"], seen


@pytest.mark.parametrize("kind", ["SGD", "Adam", "RMSprop", "Adagrad", "NAdam"])
def test_a_decay_that_is_added_to_the_gradient_stands_beside_the_gradient_as_it_is_stepped_by(
    kind: str, watched: Watched
) -> None:
    def make(parameters: Any) -> torch.optim.Optimizer:
        made: torch.optim.Optimizer = getattr(torch.optim, kind)(parameters, lr=RATE, weight_decay=STRENGTH)
        return made

    told, seen = trained(make, watched)
    assert len(told) == len(seen)
    for each, (before, gradient, _) in zip(told, seen, strict=True):
        assert (each.weight_decay, each.is_decoupled) == (STRENGTH, False)
        assert each.weights == pytest.approx(before.norm().item(), rel=1e-5)
        assert each.by_decay == pytest.approx(STRENGTH * before.norm().item(), rel=1e-5)
        assert each.by_gradient == pytest.approx(gradient.norm().item(), rel=1e-5)


@pytest.mark.parametrize("kind", ["AdamW", "Adafactor", "NAdam"])
def test_a_decay_that_is_taken_from_the_weights_stands_beside_the_rest_of_the_step(kind: str, watched: Watched) -> None:
    more = {"decoupled_weight_decay": True} if kind == "NAdam" else {}

    def make(parameters: Any) -> torch.optim.Optimizer:
        made: torch.optim.Optimizer = getattr(torch.optim, kind)(parameters, lr=RATE, weight_decay=STRENGTH, **more)
        return made

    told, seen = trained(make, watched)
    assert len(told) == len(seen)
    for each, (before, _, after) in zip(told, seen, strict=True):
        rest = after - (1 - RATE * STRENGTH) * before
        assert each.is_decoupled
        assert each.by_decay == pytest.approx(RATE * STRENGTH * before.norm().item(), rel=1e-4)
        assert each.by_gradient == pytest.approx(rest.norm().item(), rel=1e-4)


class Own(torch.optim.Optimizer):
    """An optimizer of which nobody knows what it does with its decay."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": RATE, "weight_decay": STRENGTH})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(group["lr"] * p.grad)


@pytest.mark.parametrize(
    "make", [Own, lambda p: torch.optim.SGD(p, 0.1), lambda p: torch.optim.AdamW(p, 1e-3, weight_decay=0.0)]
)
def test_nothing_is_told_of_an_unknown_decay_or_of_none(make: Make, watched: Watched) -> None:
    assert trained(make, watched)[0] == []


def test_groups_are_told_apart(watched: Watched) -> None:
    def make(parameters: Any) -> torch.optim.Optimizer:
        first, bias, *others = parameters
        groups: list[dict[str, Any]] = [{"params": [first], "weight_decay": 0.25}, {"params": [bias, *others]}]
        return torch.optim.SGD(groups, 0.1)

    assert {each.weight_decay for each in trained(make, watched)[0]} == {0.25}


def test_a_large_weight_is_told_from_a_sample(monkeypatch: pytest.MonkeyPatch, watched: Watched) -> None:
    monkeypatch.setattr("gradreach.watch.update.MOST_ELEMENTS", 7)
    told, seen = trained(lambda p: torch.optim.AdamW(p, RATE, weight_decay=STRENGTH), watched)
    assert len(told) == len(seen)
    assert told[0].weights == pytest.approx(seen[0][0].norm().item(), rel=0.5)
