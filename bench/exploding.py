"""Tasks whose gradients explode from the first step on: recurrent weights, or weights of a deep net, far too large."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

Task = Callable[[], tuple[nn.Module, Callable[[], Tensor]]]
"""Builds, from torch's seed, a model and the loss of its next batch."""

B, T, H = 16, 100, 32


class Recurrent(nn.Module):
    """An RNN whose W_hh is random normal (tanh) or the identity (ReLU), times `gain`, with a linear head."""

    def __init__(self, kind: str, gain: float, outputs: int) -> None:
        super().__init__()
        self.rnn, self.head = nn.RNN(2, H, nonlinearity=kind, batch_first=True), nn.Linear(H, outputs)
        with torch.no_grad():
            if kind == "tanh":
                self.rnn.weight_hh_l0.normal_(0, gain / math.sqrt(H))
            else:
                self.rnn.weight_hh_l0.copy_(gain * torch.eye(H))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.rnn(x)[0])
        return out


def adding(kind: str, gain: float) -> Task:
    """The sum of the two marked numbers of a sequence (Hochreiter and Schmidhuber 1997)."""

    def build() -> tuple[nn.Module, Callable[[], Tensor]]:
        model = Recurrent(kind, gain, 1)

        def loss() -> Tensor:
            value, mark, row = torch.rand(B, T), torch.zeros(B, T), torch.arange(B)
            first, second = torch.randint(T // 2, (B,)), torch.randint(T // 2, T, (B,))
            mark[row, first] = mark[row, second] = 1
            y = value[row, first] + value[row, second]
            return (model(torch.stack([value, mark], -1))[:, -1, 0] - y).square().mean()

        return model, loss

    return build


def echo(kind: str, gain: float, delay: int = 3) -> Task:
    """At each step the input of `delay` steps ago."""

    def build() -> tuple[nn.Module, Callable[[], Tensor]]:
        model = Recurrent(kind, gain, 2)

        def loss() -> Tensor:
            x = torch.randn(B, T, 2)
            return (model(x)[:, delay:] - x[:, :-delay]).square().mean()

        return model, loss

    return build


def deep(activation: type[nn.Module], gain: float, depth: int) -> Task:
    """Eight clusters told apart by `depth` layers with weights of `gain` / √width."""

    def build() -> tuple[nn.Module, Callable[[], Tensor]]:
        layers: list[nn.Module] = []
        for index in range(depth):
            layer = nn.Linear(16 if index == 0 else H, H)
            nn.init.normal_(layer.weight, 0, gain / math.sqrt(layer.in_features))
            layers += [layer, activation()]
        model, centres = nn.Sequential(*layers, nn.Linear(H, 8)), torch.randn(8, 16)

        def loss() -> Tensor:
            y = torch.randint(8, (2 * B,))
            return nn.functional.cross_entropy(model(centres[y] + 0.7 * torch.randn(2 * B, 16)), y)

        return model, loss

    return build


DESIGN: dict[str, Task] = {
    "tanh RNN 1.5, echo": echo("tanh", 1.5),
    "ReLU RNN 1.1, adding": adding("relu", 1.1),
    "ReLU net 30 × 2.2": deep(nn.ReLU, 2.2, 30),
    "tanh RNN 2, adding": adding("tanh", 2.0),
}
UNSEEN: dict[str, Task] = {
    "tanh RNN 2, echo": echo("tanh", 2.0),
    "ReLU RNN 1.07, echo": echo("relu", 1.07),
    "tanh net 40 × 3": deep(nn.Tanh, 3.0, 40),
    "tanh RNN 1.7, adding": adding("tanh", 1.7),
    "ReLU net 50 × 1.7": deep(nn.ReLU, 1.7, 50),
}
