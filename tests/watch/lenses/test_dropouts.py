"""What drops half of what passes through it, or more."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.seen.loop import Dropping
from tests.watch.conftest import Watched


class Attending(nn.Module):
    def __init__(self, p: float) -> None:
        super().__init__()
        self.attention, self.read = nn.MultiheadAttention(4, 2, dropout=p, batch_first=True), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        read: Tensor = self.read(self.attention(x, x, x)[0])
        return read


class Stacked(nn.Module):
    def __init__(self, layers: int) -> None:
        super().__init__()
        self.rnn = nn.GRU(4, 6, layers, dropout=0.8 if layers > 1 else 0.0)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.rnn(x)[0]
        return out


def seen(watched: Watched, net: nn.Module) -> tuple[Dropping, ...]:
    torch.manual_seed(0)
    _, record = watched(lambda: net(torch.randn(8, 5, 4)).square().mean().backward())
    assert not record.notes
    return record.looks[0].dropping


def test_dropouts_of_half_and_more_in_training_mode(watched: Watched) -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.9), nn.Linear(8, 8), nn.Dropout1d(0.5), nn.Dropout(0.4))
    assert seen(watched, net) == (Dropping("net.1", "Dropout", 0.9), Dropping("net.3", "Dropout1d", 0.5))


def test_none_in_evaluation_mode(watched: Watched) -> None:
    assert seen(watched, nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.9)).eval()) == ()


@pytest.mark.parametrize(("layers", "told"), [(2, (Dropping("net.rnn", "GRU", 0.8),)), (1, ())])
def test_between_the_layers_of_a_recurrent_one(layers: int, told: tuple[Dropping, ...], watched: Watched) -> None:
    assert seen(watched, Stacked(layers)) == told


def test_of_an_attentions_weights(watched: Watched) -> None:
    assert seen(watched, Attending(0.8)) == (Dropping("net.attention", "MultiheadAttention", 0.8),)
