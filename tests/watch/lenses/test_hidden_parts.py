"""Parts of a model that stand in containers of Python: which of them learn, and which are moved."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gradreach.watch.hidden_parts import held_in
from tests.watch.conftest import Watched


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(3, 3), nn.Linear(3, 3)]
        self.heads = {"a": (nn.Linear(3, 1),)}
        self.scales = (nn.Parameter(torch.ones(3)),)
        self.own = nn.Linear(3, 3)
        self.again = [self.own]
        self.memory = [torch.randn(3, requires_grad=True) for _ in range(2)]

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.heads["a"][0](self.own(x * self.scales[0] + self.memory[0]))


def test_what_containers_hold_is_found_by_its_place() -> None:
    places = [place for place, _ in held_in(Net())]
    assert places == [".layers[0]", ".layers[1]", ".heads['a'][0]", ".scales[0]", ".again[0]"]


def test_parts_with_a_gradient_are_compared_from_look_to_look(watched: Watched) -> None:
    torch.manual_seed(0)
    net = Net()
    net.layers[1].eval()

    def train() -> None:
        optimizer = torch.optim.SGD([*net.parameters(), *net.layers[0].parameters()], 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            net(torch.randn(4, 3)).square().mean().backward()
            optimizer.step()

    _, record = watched(train)
    assert [{part.name: part.moved for part in look.hidden} for look in record.looks] == [
        {"net.layers[0]": None, "net.heads['a'][0]": None, "net.scales[0]": None},
        *[{"net.layers[0]": True, "net.heads['a'][0]": False, "net.scales[0]": False}] * 2,
    ]
    layer = record.looks[0].hidden[0]
    assert (layer.kind, layer.parameters, layer.elements) == ("Linear", 2, 12)


def test_a_frozen_or_unused_part_is_left_alone(watched: Watched) -> None:
    torch.manual_seed(0)
    net = Net()
    net.layers[0].requires_grad_(False)
    net.layers.append(nn.Linear(3, 3))

    def forward(x: Tensor) -> Tensor:
        return net.own(net.layers[0](x))

    net.forward = forward  # type: ignore[method-assign]
    _, record = watched(lambda: net(torch.randn(4, 3)).square().mean().backward())
    assert record.looks[0].hidden == ()
