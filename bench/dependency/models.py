"""Small models of four kinds, their training, and what one batch's forward and backward pass leaves behind."""

from __future__ import annotations

from typing import NamedTuple

import torch
from tasks import Batch, Task
from torch import Generator, Tensor, nn
from torch.nn import functional as F

KINDS = ("RNN", "LSTM", "GRU", "transformer")
EMBEDDED = 16
LONGEST = 512


class Seen(NamedTuple):
    """∂L/∂state (N, T, H) by no other way than the readout, the inputs as the model got them, and the states."""

    errors: Tensor
    inputs: Tensor
    states: Tensor


class Causal(nn.Module):
    """A transformer that looks back only: (N, T, f) → (N, T, H)."""

    def __init__(self, width: int, H: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(H, 2, 2 * H, 0.0, batch_first=True, norm_first=True)
        self.enter, self.place = nn.Linear(width, H), nn.Embedding(LONGEST, H)
        self.body = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        T = x.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(T)
        out: Tensor = self.body(self.enter(x) + self.place.weight[:T], mask=mask, is_causal=True)
        return out


class Net(nn.Module):
    """An embedding for tokens, a body of one of the `KINDS`, and a linear readout at every step."""

    def __init__(self, kind: str, task: Task, H: int) -> None:
        super().__init__()
        width = task.width if task.alphabet is None else EMBEDDED
        self.embed = None if task.alphabet is None else nn.Embedding(task.alphabet, EMBEDDED)
        stock = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
        self.body = Causal(width, H) if kind == "transformer" else stock[kind](width, H, batch_first=True)
        self.head = nn.Linear(H, task.classes or 1)

    def states(self, x: Tensor) -> Tensor:
        """The body's output, (N, T, H)."""
        out = self.body(x if self.embed is None else self.embed(x))
        return out[0] if isinstance(out, tuple) else out

    def forward(self, x: Tensor) -> Tensor:
        said: Tensor = self.head(self.states(x))
        return said


def loss(said: Tensor, batch: Batch) -> Tensor:
    """Mean over the scored steps: cross-entropy of classes, squared error of real targets."""
    score = F.mse_loss if batch.y.is_floating_point() else F.cross_entropy
    return score(said[batch.scored], batch.y[batch.scored])


def train(net: Net, task: Task, steps: int, N: int, g: Generator, rate: float = 3e-3) -> list[float]:
    """Adam on fresh batches; the loss of every step."""
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    return [step(net, task.draw(N, g), optimizer) for _ in range(steps)]


def step(net: Net, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
    """One training step, and its loss."""
    optimizer.zero_grad()
    now = loss(net(batch.x), batch)
    now.backward()
    optimizer.step()
    return float(now.detach())


def look(net: Net, batch: Batch) -> Seen:
    """Forward and backward on one batch. The gradients stay in `.grad`."""
    net.zero_grad()
    states = net.states(batch.x)
    states.retain_grad()
    loss(net.head(states), batch).backward()
    assert states.grad is not None
    return Seen(states.grad, batch.x, states.detach())
