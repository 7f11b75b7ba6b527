"""Whether rows of a batch feed one another: what rows of the loss read, and what a softmax runs over."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.data import MixedByView
from tests.watch.conftest import Watched

BATCH, T, WIDTH = 6, 5, 4


class Net(nn.Module):
    """An embedding of words, and what is made of it."""

    def __init__(self, use: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.words, self.use = nn.Embedding(9, WIDTH), use

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self.words(x))


def looked(watched: Watched, net: nn.Module, x: Tensor) -> Look:
    torch.manual_seed(0)

    def step() -> None:
        out = net(x)
        nn.functional.mse_loss(out, torch.randn_like(out)).backward()

    _, record = watched(step)
    assert not record.notes
    return record.looks[0]


Use = Callable[[Tensor], Tensor]


def mixed(watched: Watched, use: Use, shape: tuple[int, int] = (12, T)) -> tuple[MixedByView, ...]:
    torch.manual_seed(0)
    return looked(watched, Net(use), torch.randint(0, 9, shape)).mixed_by_views


def ends(h: Tensor) -> tuple[Tensor, Tensor]:
    return h.sum(1), h.prod(1)


def frame(h: Tensor) -> Tensor:
    return torch.tanh(h.transpose(0, 1).reshape(-1, WIDTH))


MIXING: dict[str, tuple[Use, tuple[int, ...], tuple[int, ...], tuple[int, int]]] = {
    "two states": (lambda h: torch.stack(ends(h)).view(len(h), -1), (2, 12, WIDTH), (12, 2 * WIDTH), (1, 0)),
    "laid end to end": (lambda h: torch.cat(ends(h)).view(len(h), -1), (24, WIDTH), (12, 2 * WIDTH), (0, 0)),
    "kept in front": (
        lambda h: torch.stack(ends(h)).view(1, len(h), -1).sum(0), (2, 12, WIDTH), (1, 12, 2 * WIDTH), (1, 1)
    ),
    "steps": (
        lambda h: h.transpose(0, 1).contiguous().view(len(h), -1), (T, 12, WIDTH), (12, T * WIDTH), (1, 0)
    ),
    "time first": (lambda h: h.view(T, len(h), -1).cumsum(0)[-1], (12, T, WIDTH), (T, 12, WIDTH), (0, 1)),
    "unfolded": (lambda h: frame(h).view(len(h), T, -1).sum(1), (12 * T, WIDTH), (12, T, WIDTH), (0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", MIXING)
def test_rows_that_a_view_mixes(watched: Watched, name: str) -> None:
    use, shape_in, shape_out, axes = MIXING[name]
    (found,) = mixed(watched, use)
    assert (found.shape_in, found.shape_out, (found.axis_in, found.axis_out)) == (shape_in, shape_out, axes)
    assert (found.entries, found.kind, found.before_kind) == (12, "Net", "Embedding")
    assert found.own < found.asked
    assert found.read > 1


def test_a_row_that_reads_a_single_other_one(watched: Watched) -> None:
    (found,) = mixed(watched, lambda h: h.transpose(0, 1).contiguous().view(len(h), T, WIDTH)[:, -1])
    assert (found.shape_in, found.shape_out, found.read) == ((T, 12, WIDTH), (12, T, WIDTH), 1)


APART: dict[str, Use] = {
    "the same states, moved first": lambda h: torch.stack(ends(h)).transpose(0, 1).reshape(len(h), -1),
    "steps folded and back": lambda h: torch.tanh(h.reshape(-1, WIDTH)).view(len(h), -1),
    "frames folded and back": lambda h: frame(h).view(T, len(h), -1).sum(0),
    "a view there and a view back": lambda h: torch.tanh(h.view(T, len(h), -1)).view(len(h), -1),
    "a loss for each step": lambda h: h.transpose(0, 1).cumsum(0).reshape(-1, WIDTH),
    "repeated rows": lambda h: h.sum(1).repeat(3, 1).view(3, len(h), -1).mean(0),
    "patches": lambda h: h.view(len(h), T, 2, 2).transpose(1, 2).reshape(2 * len(h), -1).view(len(h), -1),
}
ON_PURPOSE: dict[str, Use] = {
    "centred over the batch": lambda h: (h - h.mean(0)).view(len(h), -1),
    "each with each": lambda h: (h.sum(1) @ h.sum(1).T).view(len(h), -1),
    "rows of others": lambda h: torch.cat([h, h[torch.randperm(len(h))]], 1).reshape(len(h), -1),
    "attention over samples": lambda h: torch.softmax(h.sum(1) @ h.sum(1).T, 1) @ h.reshape(len(h), -1),
    "pairs": lambda h: h.sum(1).view(len(h) // 2, -1),
    "deviation of groups": lambda h: h.sum(1) - h.sum(1).view(3, -1, WIDTH).std(0).repeat(3, 1),
    "neighbours": lambda h: h.sum(1).roll(1, 0) + h.sum(1).view(len(h), -1),
}


@pytest.mark.parametrize("name", [*APART, *ON_PURPOSE])
def test_rows_that_no_view_mixes(watched: Watched, name: str) -> None:
    assert mixed(watched, (APART | ON_PURPOSE)[name]) == ()


def test_as_many_steps_as_rows_tell_nothing(watched: Watched) -> None:
    assert mixed(watched, lambda h: h.transpose(0, 1).cumsum(0), (6, 6)) == ()


class Ends(nn.Module):
    """The last states of both directions of a recurrence, joined."""

    def __init__(self, before: nn.Module, join: Use) -> None:
        super().__init__()
        self.before, self.join = before, join
        self.rnn, self.head = nn.GRU(WIDTH, 3, bidirectional=True), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.join(self.rnn(self.before(x).transpose(0, 1))[1]))


@pytest.mark.parametrize("before", [nn.Identity(), nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(T))])
def test_states_of_a_recurrent_layer(watched: Watched, before: nn.Module) -> None:
    """Whatever the layer is given: behind a norm over the batch each row of the data is in all of them."""
    x = torch.randn(12, T, WIDTH)
    (found,) = looked(watched, Ends(before, lambda h: h.view(h.shape[1], -1)), x).mixed_by_views
    names = (found.before.rpartition(".")[2], found.behind.rpartition(".")[2])
    assert (names, found.shape_in, found.read, found.own) == (("rnn", "head"), (2, 12, 3), 2, 0)
    assert looked(watched, Ends(before, lambda h: h.transpose(0, 1).flatten(1)), x).mixed_by_views == ()


def scores(axis: int) -> Callable[[Tensor], Tensor]:
    return lambda h: (torch.softmax(h.sum(-1), axis).unsqueeze(-1) * h).sum(1)


def test_a_softmax_over_the_rows(watched: Watched) -> None:
    look = looked(watched, Net(scores(0)), torch.randint(0, 9, (BATCH, T)))
    (seen,) = look.softmaxes
    assert (seen.operation, seen.kind, seen.shape, seen.axis, seen.over_rows) == ("softmax", "Net", (BATCH, T), 0, True)
    assert look.mixed_by_views == ()


def test_other_axes_are_not_asked(watched: Watched) -> None:
    x = torch.randint(0, 9, (BATCH, T))
    assert looked(watched, Net(scores(1)), x).softmaxes == ()
    assert looked(watched, Net(lambda h: torch.softmax(h.sum((1, 2)), 0) * h.sum((1, 2))), x).softmaxes == (), "weights"
    assert looked(watched, Net(lambda h: torch.softmax(h.sum(1) @ h.sum(1).T, 0)), x).softmaxes == (), "each with each"


def test_a_softmax_over_time_that_comes_first(watched: Watched) -> None:
    """Time is as long as two batches, and lies along axis 0; the loss has one row a sample."""

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.ask = nn.Embedding(9, WIDTH), nn.Linear(3, WIDTH)

        def forward(self, x: Tensor) -> Tensor:
            h = self.words(x)
            weights = torch.softmax((h * self.ask(torch.ones(x.shape[1], 3))).sum(-1), 0)
            return (weights.unsqueeze(-1) * h).sum(0)

    look = looked(watched, Reader(), torch.randint(0, 9, (2 * BATCH, BATCH)))
    assert not any(each.over_rows for each in look.softmaxes)


def test_candidates_of_each_row_share_their_query(watched: Watched) -> None:
    """Scores of every row against every candidate of another tower: a contrastive loss, over a square."""

    class Towers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Linear(3, WIDTH), nn.Linear(3, WIDTH)

        def forward(self, x: Tensor) -> Tensor:
            return torch.log_softmax(self.one(x) @ self.other(torch.cat([x, x.flip(0)])).T, 1)

    look = looked(watched, Towers(), torch.randn(BATCH, 3))
    assert not any(each.over_rows for each in look.softmaxes)


def test_positions_are_no_rows(watched: Watched) -> None:
    class Placed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.places, self.use = nn.Embedding(12, WIDTH), nn.Linear(12, 2)

        def forward(self, x: Tensor) -> Tensor:
            h = torch.stack([self.places(torch.arange(len(x)))] * 3) * x
            return self.use(h.view(len(x), -1))

    assert looked(watched, Placed(), torch.ones(12, 1)).mixed_by_views == ()


@pytest.mark.parametrize("axis", [0, 1])
def test_the_passes_that_follow_rows_leave_no_gradient(watched: Watched, axis: int) -> None:
    x, results = torch.randint(0, 9, (BATCH, T)), []
    for watch in (lambda train: train(), lambda train: watched(train)):
        torch.manual_seed(0)
        net = Net(scores(axis))
        watch(lambda net=net: net(x).square().mean().backward())
        results.append(net.words.weight.grad)
    assert results[0] is not None
    assert results[1] is not None
    assert torch.equal(results[0], results[1])
