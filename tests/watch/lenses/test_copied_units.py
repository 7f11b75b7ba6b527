"""Units with the same incoming weights and the same gradient, in every kind of layer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.seen.weights import CopiedUnits
from tests.watch.conftest import Watched

Step = Callable[[], Tensor]


def seen(watched: Watched, parameters: list[Tensor], step: Step, count: int = 3) -> list[tuple[CopiedUnits, ...]]:
    """What the looks see of copies over a few steps."""

    def train() -> None:
        torch.manual_seed(0)
        optimizer = torch.optim.SGD(parameters, 0.1)
        for _ in range(count):
            optimizer.zero_grad()
            step().backward()
            optimizer.step()

    return [look.copied_units for look in watched(train)[1].looks]


def constant(module: nn.Module, value: float = 0.1) -> list[Tensor]:
    for p in module.parameters():
        nn.init.constant_(p, value)
    return list(module.parameters())


def names(looks: list[tuple[CopiedUnits, ...]]) -> list[list[str]]:
    return [[each.name for each in look] for look in looks]


def test_constant_layers_in_a_row_are_copies_but_for_the_last_whose_targets_differ(watched: Watched) -> None:
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    looks = seen(watched, constant(net), lambda: (net(torch.randn(8, 4)) - torch.randn(8, 3)).square().mean())
    assert names(looks) == [["net.0.weight", "net.2.weight"]] * 3
    assert looks[0][0] == CopiedUnits("net.0.weight", "net.0", "Linear", 6, 1, True)


def test_zeros_that_let_no_gradient_through_are_seen_as_not_reached(watched: Watched) -> None:
    net = nn.Sequential(nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 1))
    looks = seen(watched, constant(net, 0.0), lambda: (net(torch.randn(8, 4)) - torch.randn(8, 1)).square().mean())
    assert [[each.is_reached for each in look] for look in looks] == [[False], [True], [True]]


@pytest.mark.parametrize(
    ("make", "size", "name"),
    [
        (lambda: nn.Conv1d(4, 6, 3), (8, 4, 9), ".weight"),
        (lambda: nn.ConvTranspose1d(4, 6, 3), (8, 4, 9), ".weight"),
        (lambda: nn.RNN(4, 6), (8, 5, 4), ".weight_ih_l0"),
        (lambda: nn.LSTM(4, 6), (8, 5, 4), ".weight_ih_l0"),
        (lambda: nn.GRUCell(4, 6), (8, 4), ".weight_ih"),
        (lambda: nn.MultiheadAttention(4, 2), (8, 5, 4), ".in_proj_weight"),
    ],
)
def test_every_kind_of_layer(make: Callable[[], nn.Module], size: tuple[int, ...], name: str, watched: Watched) -> None:
    net = nn.Sequential(make(), nn.Linear(6, 2))
    if isinstance(net[0], nn.MultiheadAttention):
        net[1] = nn.Linear(4, 2)
    mix = torch.linspace(0.1, 1.0, 2)

    def step() -> Tensor:
        x = torch.randn(*size)
        out = net[0](x, x, x) if isinstance(net[0], nn.MultiheadAttention) else net[0](x)
        out = out[0] if isinstance(out, tuple) else out
        out = out.mT if isinstance(net[0], (nn.Conv1d, nn.ConvTranspose1d)) else out
        error: Tensor = (net[1](out) * mix - torch.randn(*out.shape[:-1], 2)).square().mean()
        return error

    assert all(any(found.endswith(name) for found in look) for look in names(seen(watched, constant(net), step)))


def test_weights_of_the_scripts_own_lie_as_their_product_says(watched: Watched) -> None:
    first, second, last = (torch.full(size, 0.3, requires_grad=True) for size in ((4, 6), (5, 6), (5, 2)))

    def step() -> Tensor:
        out = torch.tanh(torch.tanh(torch.randn(8, 4) @ first) @ second.T) @ last
        return (out - torch.randn(8, 2)).square().mean()

    looks = seen(watched, [first, second, last], step)
    assert [[each.units for each in sorted(look, key=lambda each: each.name)] for look in looks] == [[6, 5]] * 3


def test_units_in_pairs_are_counted_once_a_pair(watched: Watched) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
    with torch.no_grad():
        for p, axis in zip(net.parameters(), (0, 0, 1), strict=False):
            p.copy_(torch.cat([p.narrow(axis, 0, 3)] * 2, axis))
    looks = seen(watched, list(net.parameters()), lambda: (net(torch.randn(8, 4)) - 1).square().mean())
    assert [[(each.units, each.different) for each in look] for look in looks] == [[(6, 3)]] * 3


def test_units_that_differ_in_bias_in_gradient_or_but_for_some_are_none(watched: Watched) -> None:
    torch.manual_seed(0)
    unlike_biases = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
    for p in unlike_biases.parameters():
        if p.dim() > 1:
            nn.init.constant_(p, 0.1)
    unlike_gradients = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
    nn.init.zeros_(next(unlike_gradients.parameters()))
    head = nn.Sequential(nn.Linear(4, 9))
    constant(head, 0.0)
    for net in (unlike_biases, unlike_gradients):
        looks = seen(watched, list(net.parameters()), lambda net=net: net(torch.randn(8, 4)).square().mean())  # type: ignore[misc]
        assert looks == [()] * 3
    labels = torch.arange(8) % 2
    looks = seen(watched, list(head.parameters()), lambda: nn.functional.cross_entropy(head(torch.randn(8, 4)), labels))
    assert looks == [()] * 3, "seven classes are never a target, two are"
