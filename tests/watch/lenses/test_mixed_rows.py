"""Whether rows of a batch feed one another: what rows of the loss read, and what a softmax runs over."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.data import MixedRows
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


def mixed(watched: Watched, use: Callable[[Tensor], Tensor], rows: int = BATCH) -> MixedRows:
    torch.manual_seed(0)
    (found,) = looked(watched, Net(use), torch.randint(0, 9, (rows, T))).mixed_rows
    return found


def test_rows_that_read_their_own_entry(watched: Watched) -> None:
    found = mixed(watched, lambda h: h.sum(1))
    assert (found.entries, found.rows, found.asked, found.own, found.read) == (BATCH, BATCH, 2, 2, 1)
    by_step = mixed(watched, lambda h: h.cumsum(1).reshape(-1, WIDTH))
    assert (by_step.rows, by_step.own, by_step.read) == (BATCH * T, 2, 1)


def test_rows_that_a_view_mixes(watched: Watched) -> None:
    """The two halves of a state, laid under one another and cut anew: row i reads entries 2i and 2i + 1."""
    found = mixed(watched, lambda h: torch.cat([h.sum(1), h.prod(1)]).view(len(h), -1), rows=12)
    assert (found.own, found.read) == (0, 2)
    right = mixed(watched, lambda h: torch.cat([h.sum(1), h.prod(1)], -1), rows=12)
    assert (right.own, right.read) == (2, 1)


def scores(axis: int) -> Callable[[Tensor], Tensor]:
    return lambda h: (torch.softmax(h.sum(-1), axis).unsqueeze(-1) * h).sum(1)


def test_a_softmax_over_the_rows(watched: Watched) -> None:
    look = looked(watched, Net(scores(0)), torch.randint(0, 9, (BATCH, T)))
    (seen,) = look.softmaxes
    assert (seen.operation, seen.kind, seen.shape, seen.axis, seen.over_rows) == ("softmax", "Net", (BATCH, T), 0, True)
    assert look.mixed_rows[0].read == BATCH


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
            self.words, self.places = nn.Embedding(9, WIDTH), nn.Embedding(BATCH, WIDTH)

        def forward(self, x: Tensor) -> Tensor:
            return (self.words(x) + self.places(torch.arange(x.shape[1]))).sum(1)

    look = looked(watched, Placed(), torch.randint(0, 9, (BATCH, BATCH)))
    assert [each.module.rpartition(".")[2] for each in look.mixed_rows] == ["words"]


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
