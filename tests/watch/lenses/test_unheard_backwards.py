"""Which modules have a backward pass that autograd does not know."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.watch.conftest import Watched


class Reverse(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.view_as(x)

    def backward(self, grad_output: Tensor) -> Tensor:
        return -grad_output


class OfTheLoss(Reverse):
    def backward(self, loss: Tensor) -> Tensor:  # type: ignore[override]
        return loss


class ByHand(Reverse):
    def backward(self) -> None:  # type: ignore[override]
        return None


class Plain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.view_as(x)


@pytest.mark.parametrize(
    ("layer", "told"), [(Reverse, ["Reverse"]), (OfTheLoss, []), (ByHand, []), (Plain, []), (nn.ReLU, [])]
)
def test_a_method_for_the_gradient_is_told(watched: Watched, layer: type[nn.Module], told: list[str]) -> None:
    net = nn.Sequential(nn.Linear(3, 4), layer(), nn.Linear(4, 1))
    _, record = watched(lambda: net(torch.randn(5, 3)).square().mean().backward())
    assert [each.kind for each in record.looks[0].unheard] == told


def test_a_module_that_no_gradient_comes_through_is_not(watched: Watched) -> None:
    net, reverse = nn.Linear(3, 4), Reverse()

    def step() -> None:
        net(reverse(torch.randn(5, 3))).square().mean().backward()

    assert not watched(step)[1].looks[0].unheard
