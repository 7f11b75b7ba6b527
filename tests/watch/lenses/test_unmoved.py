"""What moves the weights, and what does not: gradients, copies, averages, other tensors in their place."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.func import functional_call

from tests.watch.conftest import Watched


def test_a_copy_and_an_average_are_set_otherwise(watched: Watched) -> None:
    torch.manual_seed(0)
    net = nn.Linear(4, 3)
    target, average, idle = copy.deepcopy(net), nn.Linear(4, 3), nn.Linear(4, 3)

    def train() -> None:
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        for _ in range(3):
            x = torch.randn(5, 4)
            optimizer.zero_grad()
            (net(x) - target(x).detach() - average(x).detach() - idle(x).detach()).square().mean().backward()
            optimizer.step()
            for mine, theirs in zip(average.parameters(), net.parameters(), strict=True):
                mine.data.lerp_(theirs.data, 0.1)

    _, record = watched(train)
    both = {name for look in record.looks for name in look.set_otherwise}
    assert both == {"target.weight", "target.bias", "average.weight", "average.bias"}
    assert record.looks[0].set_otherwise == ("target.weight", "target.bias")
    assert {name for name in record.looks[-1].without_gradient if name.startswith("idle")} == {
        "idle.weight",
        "idle.bias",
    }


def test_alike_by_a_constant_start_is_no_copy(watched: Watched) -> None:
    torch.manual_seed(0)
    net, idle = nn.LayerNorm(4), nn.LayerNorm(4)
    _, record = watched(lambda: (net(torch.randn(5, 4)) * idle(torch.randn(5, 4)).detach()).square().sum().backward())
    assert set(record.looks[0].without_gradient) == {"idle.weight", "idle.bias"}
    assert record.looks[0].set_otherwise == ()


def test_other_tensors_in_the_place_of_the_weights(watched: Watched) -> None:
    torch.manual_seed(0)
    net = nn.Linear(4, 3)
    mine = {name: torch.randn_like(p).requires_grad_() for name, p in net.named_parameters()}
    _, record = watched(lambda: functional_call(net, mine, (torch.randn(5, 4),)).square().mean().backward())
    assert set(record.looks[0].set_otherwise) == {"net.weight", "net.bias"}


def test_calls_where_gradients_are_off_are_calls(watched: Watched) -> None:
    torch.manual_seed(0)

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.learns, self.rests = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                offset = self.rests(x)
            return self.learns(x) + offset

    both = Both()
    _, record = watched(lambda: both(torch.randn(5, 4)).square().mean().backward())
    assert record.looks[0].called_without_gradient == ("both.rests",)
    assert "both.rests.weight" in record.looks[0].without_gradient


def test_weights_that_no_optimizer_holds(watched: Watched) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))

    def train(part: nn.Module) -> None:
        optimizer = torch.optim.SGD(part.parameters(), 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            net.zero_grad()
            net(torch.randn(5, 4)).square().mean().backward()
            optimizer.step()

    _, record = watched(lambda: train(net[0]))
    assert [set(look.unmoved) for look in record.looks] == [set(), *[{"net.1.weight", "net.1.bias"}] * 2]
    assert [look.moved for look in record.looks] == [False, True, True]
    _, record = watched(lambda: train(nn.Linear(1, 1)))
    assert set(record.looks[-1].unmoved) == {f"net.{i}.{name}" for i in (0, 1) for name in ("weight", "bias")}
    assert not any(look.moved for look in record.looks)


def test_an_input_that_is_optimised_moves(watched: Watched) -> None:
    torch.manual_seed(0)
    net, image = nn.Linear(4, 1), torch.randn(1, 4).requires_grad_()

    def train() -> None:
        for _ in range(3):
            net(image).square().mean().backward()
            with torch.no_grad():
                image.sub_(0.1 * image.grad)

    _, record = watched(train)
    assert all(look.moved for look in record.looks)
