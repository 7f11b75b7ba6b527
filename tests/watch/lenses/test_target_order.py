"""Whether the targets of a loss go through batch and time in the order in which its outputs do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.seen.loss import TargetOrder
from tests.watch.conftest import Watched

SYMBOLS = 7


class Net(nn.Module):
    def __init__(self, mix: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.symbols, self.head, self.mix = nn.Embedding(SYMBOLS, 5), nn.Linear(5, SYMBOLS), mix

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.head(self.mix(self.symbols(ids)))
        return logits


def seen(
    watched: Watched,
    mix: Callable[[Tensor], Tensor],
    targets: Callable[[Tensor], Tensor],
    shape: tuple[int, int] = (9, 14),
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> tuple[TargetOrder, ...]:
    """What one look tells, which draws no random number of the script's."""
    torch.manual_seed(0)
    net, ids = Net(mix), torch.randint(0, SYMBOLS, shape)
    before = torch.get_rng_state()

    def step() -> None:
        logits = net(ids)
        if loss is None:
            nn.functional.cross_entropy(logits.reshape(-1, SYMBOLS), targets(ids).reshape(-1)).backward()
        else:
            loss(logits, targets(ids)).backward()

    _, record = watched(step)
    assert not record.notes
    assert torch.equal(before, torch.get_rng_state())
    return record.looks[0].target_orders


def plain(h: Tensor) -> Tensor:
    return h.cumsum(0)


def turning(h: Tensor) -> Tensor:
    return h.cumsum(1).transpose(0, 1)


def code(ids: Tensor) -> Tensor:
    return (3 * ids + 1) % SYMBOLS


def turned_code(ids: Tensor) -> Tensor:
    return code(ids).t()


SHAPES = [(9, 14), (14, 9), (11, 11)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("mix", "targets"), [(plain, turned_code), (turning, code)])
def test_targets_in_the_other_order(
    mix: Callable[[Tensor], Tensor],
    targets: Callable[[Tensor], Tensor],
    shape: tuple[int, int],
    watched: Watched,
) -> None:
    (found,) = seen(watched, mix, targets, shape)
    assert (found.shape, found.is_along_ids) == (shape, mix is plain)
    assert found.module.endswith("symbols")
    assert abs(found.given) < 3
    assert found.turned > 12


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("mix", "targets"), [(plain, code), (turning, turned_code)])
def test_targets_in_the_same_order(
    mix: Callable[[Tensor], Tensor],
    targets: Callable[[Tensor], Tensor],
    shape: tuple[int, int],
    watched: Watched,
) -> None:
    (found,) = seen(watched, mix, targets, shape)
    assert found.given > 12
    assert abs(found.turned) < 3


@pytest.mark.parametrize(
    "targets",
    [
        lambda ids: ids.roll(3, 0),
        lambda ids: ids.flip(0),
        lambda ids: ids.flatten()[torch.randperm(ids.numel(), generator=torch.Generator().manual_seed(1))],
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_targets_of_other_places_fit_in_no_order(
    targets: Callable[[Tensor], Tensor], shape: tuple[int, int], watched: Watched
) -> None:
    (found,) = seen(watched, plain, targets, shape)
    assert max(abs(found.given), abs(found.turned)) < 4


def test_ignored_targets_are_not_counted(watched: Watched) -> None:
    def targets(ids: Tensor) -> Tensor:
        return code(ids).masked_fill(torch.arange(len(ids))[:, None] > 5, -100).t()

    (found,) = seen(watched, plain, targets)
    assert abs(found.given) < 3
    assert found.turned > 8


@pytest.mark.parametrize(
    "mix", [lambda h: h - h.mean((0, 1)), lambda h: h.roll(1, 0), lambda h: h.flatten(0, 1)[:, :0]]
)
def test_rows_that_read_no_place_of_their_own_alone(mix: Callable[[Tensor], Tensor], watched: Watched) -> None:
    def wide(h: Tensor) -> Tensor:
        mixed = mix(h)
        return mixed if mixed.numel() else h * 0 + h.detach()

    assert seen(watched, wide, turned_code) == ()


@pytest.mark.parametrize("shape", [(1, 64), (64, 1), (3, 4)])
def test_ids_without_a_second_axis_or_of_few_places(shape: tuple[int, int], watched: Watched) -> None:
    assert seen(watched, plain, turned_code, shape) == ()


def test_targets_that_are_all_alike(watched: Watched) -> None:
    (found,) = seen(watched, plain, torch.zeros_like)
    assert (found.given, found.turned) == (0, 0)


def test_classes_on_the_second_axis_keep_their_places(watched: Watched) -> None:
    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits.transpose(1, 2), targets)

    assert seen(watched, plain, code, loss=loss) == ()


def test_a_few_looks_ask(watched: Watched) -> None:
    torch.manual_seed(0)
    net = Net(plain)

    def train() -> None:
        for _ in range(10):
            ids = torch.randint(0, SYMBOLS, (9, 14))
            nn.functional.cross_entropy(net(ids).reshape(-1, SYMBOLS), turned_code(ids).reshape(-1)).backward()

    looks = watched(train)[1].looks
    assert [len(look.target_orders) for look in looks] == [1] * 6 + [0] * (len(looks) - 6)
