"""Which step of a recurrent layer the loss reads, as real layers show it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from gradreach.facts.facts import Facts
from gradreach.facts.first_step import OneDirection
from tests.watch.conftest import Watched

T, ROWS, HIDDEN = 7, 4, 5
FORWARD, REVERSE = OneDirection("net", 0, "forward"), OneDirection("net", 0, "reverse")

Reading = Callable[[nn.Module, Tensor], Tensor]


def lstm(**more: bool) -> nn.LSTM:
    return nn.LSTM(3, HIDDEN, batch_first=True, **more)


def packed(net: nn.Module, x: Tensor, at: int) -> Tensor:
    """One step of the padded output of rows of unlike lengths."""
    given = pack_padded_sequence(x, torch.tensor([7, 6, 4, 3]), batch_first=True)
    return pad_packed_sequence(net(given)[0], batch_first=True)[0][:, at]


def cells(net: nn.Module, x: Tensor, at: int) -> Tensor:
    """One state of a loop over a cell."""
    h, states = torch.zeros(ROWS, HIDDEN), []
    for step in x.unbind(1):
        h = net(step, h)
        states.append(h)
    return states[at]


@pytest.mark.parametrize(
    ("net", "read", "first"),
    [
        (lstm(), lambda net, x: net(x)[0][:, 0], {FORWARD}),
        (nn.GRU(3, HIDDEN), lambda net, x: net(x.transpose(0, 1))[0][0], {FORWARD}),
        (nn.GRU(3, HIDDEN), lambda net, x: net(x.transpose(0, 1))[0][-1], set()),
        (lstm(), lambda net, x: net(x)[0].mean(1), set()),
        (lstm(), lambda net, x: net(x)[1][0][-1], set()),
        (lstm(), lambda net, x: net(x.flip(1))[0].flip(1)[:, 0], set()),
        (lstm(), lambda net, x: net(x[:, :1])[0][:, 0], set()),
        (lstm(bidirectional=True), lambda net, x: net(x)[0][:, -1], {REVERSE}),
        (lstm(bidirectional=True), lambda net, x: net(x)[0][:, 0], {FORWARD}),
        (lstm(bidirectional=True), lambda net, x: net(x)[1][0], set()),
        (lstm(), lambda net, x: packed(net, x, 0), {FORWARD}),
        (lstm(), lambda net, x: packed(net, x, 2), set()),
        (nn.GRUCell(3, HIDDEN), lambda net, x: cells(net, x, 0), {FORWARD}),
        (nn.GRUCell(3, HIDDEN), lambda net, x: cells(net, x, -1), set()),
    ],
)
def test_the_step_that_is_read(watched: Watched, net: nn.Module, read: Reading, first: set[OneDirection]) -> None:
    def train() -> None:
        for _ in range(4):
            net.zero_grad()
            read(net, torch.randn(ROWS, T, 3)).square().mean().backward()

    _, record = watched(train)
    assert set(Facts(record).seen.read_first) == first
    told = [each.directions for each in Facts(record).seen.first_step_reads]
    assert told == [(place.direction,) for place in first]
