"""Calls of modules whose results nothing reads, and those that were made for something else."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradreach.record.seen.loop import DiscardedResult
from tests.watch.conftest import Watched

Forward = Callable[[Any, Tensor], Tensor]


class Shift(nn.Module):
    """Adds a constant, as positions are added."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("by", torch.randn(6))
        self.calls: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        return x + self.by


class Counts(Shift):
    """The same, which gathers a statistic."""

    def forward(self, x: Tensor) -> Tensor:
        self.by.add_(x.detach().mean())  # type: ignore[operator]
        return x + self.by


class Lists(Shift):
    """The same, which keeps a list."""

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append(len(x))
        return x + self.by


class Sows(Shift):
    """The same, which leaves a term of the loss elsewhere."""

    def __init__(self, terms: list[Tensor]) -> None:
        super().__init__()
        self.terms = SimpleNamespace(found=terms)

    def forward(self, x: Tensor) -> Tensor:
        self.terms.found.append(x.square().mean())
        return x + self.by


class InPlace(Shift):
    """The same, in the memory of what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        x += self.by
        return x.view(x.shape)


class Decides(Shift):
    """Tells which are the largest."""

    def forward(self, x: Tensor) -> Tensor:
        return x.argmax(-1)


class Net(nn.Module):
    def __init__(self, then: Forward, made: nn.Module) -> None:
        super().__init__()
        self.low, self.made, self.drop, self.top = nn.Linear(4, 6), made, nn.Dropout(0.5), nn.Linear(6, 1)
        self.then, self.kept = then, SimpleNamespace(results=[])

    def forward(self, x: Tensor) -> Tensor:
        return self.then(self, self.low(x))


def seen(watched: Watched, then: Forward, made: nn.Module | None = None) -> list[DiscardedResult]:
    torch.manual_seed(0)
    net = Net(then, made or Shift())

    def train() -> None:
        for _ in range(3):
            net(torch.randn(8, 4)).square().mean().backward()

    _, record = watched(train)
    assert not record.notes
    found = [look.discarded for look in record.looks]
    assert found == found[:1] * 3
    return list(found[0])


def thrown_away(net: Any, h: Tensor) -> Tensor:
    net.made(h)
    return net.top(h)


def never_read(net: Any, h: Tensor) -> Tensor:
    shifted = net.made(h)  # noqa: F841
    return net.top(h)


def read_before_alone(net: Any, h: Tensor) -> Tensor:
    x = h * 2
    h = x.relu()
    x = net.drop(h)
    return net.top(h)


def another_shape(net: Any, h: Tensor) -> Tensor:
    nn.Flatten(0)(h)
    return net.top(h)


def test_a_result_that_is_thrown_away(watched: Watched) -> None:
    (found,) = seen(watched, thrown_away)
    line = f"{__file__}:{thrown_away.__code__.co_firstlineno + 1}"
    assert found == DiscardedResult("net.made", "Shift", line, "", fits=True)


def test_a_variable_that_is_not_read_any_more(watched: Watched) -> None:
    assert [each.name for each in seen(watched, never_read)] == ["shifted"]
    assert [(each.kind, each.name) for each in seen(watched, read_before_alone)] == [("Dropout", "x")]


def test_a_result_of_another_shape(watched: Watched) -> None:
    assert [(each.kind, each.fits) for each in seen(watched, another_shape)] == [("Flatten", False)]


def test_a_call_in_the_loop(watched: Watched) -> None:
    low, shift, top = nn.Linear(4, 6), Shift(), nn.Linear(6, 1)

    def train() -> None:
        h = low(torch.randn(8, 4))
        shift(h)
        top(h).square().mean().backward()

    _, record = watched(train)
    assert [(each.module, each.kind) for each in record.looks[0].discarded] == [("shift", "Shift")]


def result_used(net: Any, h: Tensor) -> Tensor:
    return net.top(net.made(h))


def assigned(net: Any, h: Tensor) -> Tensor:
    h = net.made(h)
    return net.top(h)


def kept_for_later(net: Any, h: Tensor) -> Tensor:
    net.kept.results.append(net.made(h))
    return net.top(h)


def read_in_a_branch(net: Any, h: Tensor) -> Tensor:
    shifted = net.made(h)
    if not net.training:
        h = shifted
    return net.top(h)


def read_in_the_next_round(net: Any, h: Tensor) -> Tensor:
    state = None
    for _ in range(3):
        if state is not None:
            h = h + state
        state = net.made(h)
    return net.top(h)


def read_by_a_closure(net: Any, h: Tensor) -> Tensor:
    shifted = net.made(h)
    return (lambda: net.top(shifted))()


def read_by_all_names(net: Any, h: Tensor) -> Tensor:
    shifted = net.made(h)
    return net.top(locals()["h"])


def meant(net: Any, h: Tensor) -> Tensor:
    _ = net.made(h)
    return net.top(h)


def without_gradient(net: Any, h: Tensor) -> Tensor:
    with torch.no_grad():
        net.made(h)
    return net.top(h)


def of_what_ends_here(net: Any, h: Tensor) -> Tensor:
    net.made(h.exp())
    return net.top(h)


def of_a_trunk_that_is_listened_to(net: Any, h: Tensor) -> Tensor:
    heard: list[Tensor] = []
    handle = net.made[0].register_forward_hook(lambda _module, _args, output: heard.append(output))
    net.made(h)
    handle.remove()
    return net.top(heard[0])


def in_a_checkpoint(net: Any, h: Tensor) -> Tensor:
    made: Tensor = checkpoint(lambda x: net.made(x).tanh(), h, use_reentrant=False)
    return net.top(made)


@pytest.mark.parametrize(
    "then",
    [
        *(result_used, assigned, kept_for_later, read_in_a_branch, read_in_the_next_round, read_by_a_closure),
        *(read_by_all_names, meant, without_gradient, of_what_ends_here, in_a_checkpoint),
    ],
    ids=lambda then: then.__name__,
)
def test_other_calls_are_read_or_meant(watched: Watched, then: Forward) -> None:
    assert not seen(watched, then)


@pytest.mark.parametrize(
    "made",
    [nn.ReLU(inplace=True), nn.Identity(), InPlace(), Counts(), Lists(), Decides(), nn.BatchNorm1d(6), Sows([])],
    ids=lambda made: type(made).__name__,
)
def test_calls_that_change_or_leave_something_were_made_for_that(watched: Watched, made: nn.Module) -> None:
    def then(net: Any, h: Tensor) -> Tensor:
        net.made(h)
        out: Tensor = net.top(h)
        return out + net.made.terms.found.pop() if isinstance(made, Sows) else out

    assert not seen(watched, then, made)


def test_a_trunk_that_hooks_listen_to(watched: Watched) -> None:
    assert not seen(watched, of_a_trunk_that_is_listened_to, nn.Sequential(Shift(), nn.Linear(6, 6)))


def test_what_reaches_the_loss_of_another_pass_alone(watched: Watched) -> None:
    net, other = Net(thrown_away, Shift()), nn.Linear(4, 1)

    def train() -> None:
        net(torch.randn(8, 4))
        other(torch.randn(8, 4)).square().mean().backward()

    _, record = watched(train)
    assert not record.looks[0].discarded
