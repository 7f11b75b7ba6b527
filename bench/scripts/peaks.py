"""Small trainings whose peak of memory is of interest, by name: python peaks.py NAME --steps N."""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable

import torch
from torch import Tensor, nn


class Cells(nn.Module):
    """Two LSTM cells in a loop over the steps, as a script writes it by hand that predicts a wave's next value."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.output = nn.LSTMCell(1, 51), nn.LSTMCell(51, 51), nn.Linear(51, 1)

    def forward(self, x: Tensor) -> Tensor:
        h1, c1, h2, c2 = (torch.zeros(len(x), 51, dtype=x.dtype) for _ in range(4))
        outputs = []
        for t in range(x.shape[1]):
            h1, c1 = self.first(x[:, t : t + 1], (h1, c1))
            h2, c2 = self.second(h1, (h2, c2))
            outputs.append(self.output(h2))
        return torch.cat(outputs, 1)


class Loop(nn.Module):
    """A tanh recurrence of linear layers, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.back, self.output = nn.Linear(1, 51), nn.Linear(51, 51), nn.Linear(51, 1)

    def forward(self, x: Tensor) -> Tensor:
        h, outputs = torch.zeros(len(x), 51, dtype=x.dtype), []
        for t in range(x.shape[1]):
            h = torch.tanh(self.into(x[:, t : t + 1]) + self.back(h))
            outputs.append(self.output(h))
        return torch.cat(outputs, 1)


class Layer(nn.Module):
    def __init__(self, width: int, hidden: int, out: int, *, words: bool = False) -> None:
        super().__init__()
        self.into = nn.Embedding(width, hidden) if words else nn.Identity()
        self.lstm = nn.LSTM(hidden if words else width, hidden, num_layers=2, batch_first=True)
        self.output = nn.Linear(hidden, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.lstm(self.into(x))[0])


class Transformer(nn.Module):
    def __init__(self, words: int, width: int, length: int) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(words, width), nn.Embedding(length, width)
        block = nn.TransformerEncoderLayer(width, 4, 4 * width, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, 4, enable_nested_tensor=False)
        self.output = nn.Linear(width, words)

    def forward(self, ids: Tensor) -> Tensor:
        T = ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(T)
        return self.output(self.blocks(self.token(ids) + self.place(torch.arange(T)), mask, is_causal=True))


def convolutions() -> nn.Module:
    layers: list[nn.Module] = []
    for narrow, wide in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(narrow, wide, 3, padding=1), nn.BatchNorm2d(wide), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, 10))


def wave(model: nn.Module, B: int) -> Callable[[], Tensor]:
    """The next value of a wave of 1000 steps, in float64."""
    phases = torch.arange(1000) / 20 + torch.randint(-80, 80, (B, 1))
    x = phases.double().sin()

    def loss() -> Tensor:
        given = x[:, :-1].unsqueeze(-1) if isinstance(model, Layer) else x[:, :-1]
        return nn.functional.mse_loss(model(given).reshape(B, -1), x[:, 1:])

    return loss


def next_word(model: nn.Module, words: int, B: int, T: int) -> Callable[[], Tensor]:
    def loss() -> Tensor:
        ids = torch.randint(0, words, (B, T + 1))
        return nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())

    return loss


def pictures(model: nn.Module) -> Callable[[], Tensor]:
    def loss() -> Tensor:
        return nn.functional.cross_entropy(model(torch.randn(128, 3, 32, 32)), torch.randint(0, 10, (128,)))

    return loss


def training(name: str) -> tuple[nn.Module, Callable[[], Tensor]]:
    """The model of this name, and what computes its loss on a batch."""
    match name:
        case "cells":
            model: nn.Module = Cells().double()
            return model, wave(model, 97)
        case "loop":
            model = Loop().double()
            return model, wave(model, 97)
        case "lstm":
            model = Layer(1, 51, 1).double()
            return model, wave(model, 97)
        case "words":
            model = Layer(10_000, 200, 10_000, words=True)
            return model, next_word(model, 10_000, 20, 35)
        case "transformer" | "compiled":
            model = Transformer(1000, 128, 128)
            batches = next_word(torch.compile(model) if name == "compiled" else model, 1000, 16, 128)
            return model, batches
        case "convolutions":
            model = convolutions()
            return model, pictures(model)
    raise SystemExit(f"no training is named {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--steps", type=int, default=8)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    model, loss_of_batch = training(arguments.name)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(arguments.steps):
        optimizer.zero_grad()
        loss = loss_of_batch()
        loss.backward()
        optimizer.step()
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MiB, loss {loss.item():.6f}")


if __name__ == "__main__":
    main()
