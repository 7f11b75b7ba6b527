"""Linear layers whose output goes into the next through nothing but what is linear as well."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.seen.weights import LinearMaps
from tests.watch.conftest import Watched

Forward = Callable[["Parts", Tensor], Tensor]


class Parts(nn.Module):
    """Four layers, joined as a test says."""

    def __init__(self, forward: Forward, narrow: int = 6) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 6), nn.Linear(6, narrow), nn.Linear(narrow, 5)
        self.drop, self.act = nn.Dropout(0.1), nn.Tanh()
        self.join = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self, x)


def seen(watched: Watched, net: nn.Module, *size: int) -> tuple[LinearMaps, ...]:
    """What three looks at it see, the same in each."""

    def train() -> None:
        torch.manual_seed(0)
        for _ in range(3):
            net(torch.randn(*size)).square().mean().backward()

    looks = watched(train)[1].looks
    assert len({look.linear_maps for look in looks}) == 1
    return looks[0].linear_maps


def rows(watched: Watched, forward: Forward, *size: int, narrow: int = 6) -> list[tuple[str, ...]]:
    found = seen(watched, Parts(forward, narrow), *(size or (8, 4)))
    return [tuple(module.rpartition(".")[2] for module in maps.modules) for maps in found]


@pytest.mark.parametrize("size", [(8, 4), (8, 5, 4)])
def test_layers_with_dropout_and_views_between_are_one_row(size: tuple[int, ...], watched: Watched) -> None:
    (maps,) = seen(watched, Parts(lambda net, x: net.c(net.drop(net.b(net.a(x)).unsqueeze(0)))), *size)
    assert (maps.sizes, maps.is_whole) == ((4, 6, 6, 5), True)


def test_an_activation_ends_a_row(watched: Watched) -> None:
    assert rows(watched, lambda net, x: net.c(net.act(net.b(net.a(x))))) == [("a", "b")]
    assert rows(watched, lambda net, x: net.c(torch.relu(net.b(net.a(x)).relu_()))) == [("a", "b")]


def test_what_is_read_elsewhere_too_is_none(watched: Watched) -> None:
    assert rows(watched, lambda net, x: net.c(net.act(net.b(h := net.a(x)) + h))) == []


def test_a_bottleneck_is_none(watched: Watched) -> None:
    assert rows(watched, lambda net, x: net.c(net.b(net.act(net.a(x)))), narrow=2) == []


def test_a_frozen_layer_is_none(watched: Watched) -> None:
    net = Parts(lambda net, x: net.c(net.act(net.b(net.a(x)))))
    net.a.requires_grad_(False)
    assert seen(watched, net, 8, 4) == ()


def test_layers_that_are_called_for_something_else_too_are_none(watched: Watched) -> None:
    assert rows(watched, lambda net, x: net.c(net.act(net.b(net.a(x)) + net.a(x).tanh()))) == []
    assert rows(watched, lambda net, x: net.c(net.act(net.b(net.a(x)) + net.b(torch.ones(6))))) == []


def test_parts_of_different_owners_are_none(watched: Watched) -> None:
    net = nn.ModuleDict({"body": nn.Sequential(nn.Linear(4, 6)), "head": nn.Sequential(nn.Linear(6, 3))})

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.net["head"](self.net["body"](x))
            return out

    assert seen(watched, Both(), 8, 4) == ()


def test_weights_of_the_scripts_own_beside_a_row_make_it_a_part(watched: Watched) -> None:
    shift = torch.zeros(4, requires_grad=True)
    (maps,) = seen(watched, nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 3), nn.LayerNorm(3)), 8, 4)
    assert not maps.is_whole
    weight = nn.Parameter(torch.ones(6))
    (maps,) = seen(watched, Parts(lambda net, x: net.c(net.b(net.a(x)).tanh() * weight) + shift.sum()), 8, 4)
    assert not maps.is_whole


@pytest.mark.parametrize(
    ("second", "count"),
    [
        (nn.Conv2d(6, 3, 1), 1),
        (nn.Conv2d(6, 3, 3), 0),
        (nn.Conv2d(6, 3, 1, padding=1), 0),
        (nn.Conv2d(6, 3, 1, stride=2), 0),
        (nn.Conv2d(6, 6, 1, groups=6), 0),
    ],
)
def test_of_convolutions_the_later_has_a_kernel_of_1(second: nn.Module, count: int, watched: Watched) -> None:
    assert len(seen(watched, nn.Sequential(nn.Conv2d(2, 6, 3), second), 4, 2, 8, 8)) == count


def test_a_convolution_of_each_channel_before_one_of_1_is_none(watched: Watched) -> None:
    assert seen(watched, nn.Sequential(nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 6, 1)), 4, 6, 8, 8) == ()
