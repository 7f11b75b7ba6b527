"""Healthy runs of many shapes, each a few hundred steps: an optimizer, and the loss of a step."""

from __future__ import annotations

import math
import pydoc_data.topics
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, Optimizer

Build = Callable[[], tuple[Optimizer, Callable[[int], Tensor]]]
Run = tuple[Build, int]

WIDTH, CLASSES, LETTERS = 16, 8, 128
TEXT = torch.tensor([min(ord(c), LETTERS - 1) for c in "".join(sorted(pydoc_data.topics.topics.values()))[:200_000]])


def mlp(*sizes: int, act: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), act()]
    return nn.Sequential(*layers[:-1])


def clusters(count: int, centres: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    y = torch.randint(len(centres), (count,))
    return centres[y] + noise * torch.randn(count, centres.shape[1]), y


def classifier(model: Callable[[], nn.Module], optimizer: type[Optimizer], rate: float, *, batch: int = 32,
               noise: float = 0.7, reduction: str = "mean", **options: Any) -> Build:  # fmt: skip
    def build() -> tuple[Optimizer, Callable[[int], Tensor]]:
        net, centres = model(), torch.randn(CLASSES, WIDTH)

        def loss(_: int) -> Tensor:
            x, y = clusters(batch, centres, noise)
            return F.cross_entropy(net(x), y, reduction=reduction)

        return optimizer(net.parameters(), lr=rate, **options), loss

    return build


def wide() -> nn.Module:
    return mlp(WIDTH, 64, 64, CLASSES)


def at_zero() -> nn.Module:
    layer = nn.Linear(WIDTH, CLASSES)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def conv(normed: bool) -> Callable[[], nn.Module]:
    def net() -> nn.Module:
        norm = nn.BatchNorm2d if normed else nn.Identity
        return nn.Sequential(
            nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 8, 3, padding=1), norm(8), nn.ReLU(),
            nn.Conv2d(8, 16, 3, padding=1), norm(16), nn.ReLU(), nn.Flatten(), nn.Linear(256, CLASSES),
        )  # fmt: skip

    return net


class Letters(nn.Module):
    """A language model of letters: recurrent, or a transformer with tied weights."""

    def __init__(self, kind: str, H: int = 48, T: int = 64) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(LETTERS, H), nn.Linear(H, LETTERS)
        self.place = nn.Embedding(T, H) if kind == "transformer" else None
        if self.place is None:
            self.body: nn.Module = getattr(nn, kind)(H, H, batch_first=True)
        else:
            layer = nn.TransformerEncoderLayer(H, 4, 2 * H, 0.0, batch_first=True, norm_first=True)
            self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head.weight = self.embed.weight
            nn.init.normal_(self.embed.weight, 0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x)
        if self.place is None:
            h = self.body(h)[0]
        else:
            mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
            h = self.body(h + self.place(torch.arange(x.shape[1])), mask=mask, is_causal=True)
        out: Tensor = self.head(h)
        return out


def warm(step: int) -> float:
    """50 steps of warm-up, then half a cosine."""
    return min(1, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * min(step, 400) / 400))


def letters(
    kind: str, optimizer: type[Optimizer], rate: float, schedule: Callable[[int], float] | None = None
) -> Build:
    def build() -> tuple[Optimizer, Callable[[int], Tensor]]:
        net = Letters(kind)
        chosen = optimizer(net.parameters(), lr=rate)

        def loss(step: int) -> Tensor:
            for group in chosen.param_groups:
                group["lr"] = rate * (schedule(step) if schedule else 1.0)
            x = torch.stack([TEXT[at : at + 33] for at in torch.randint(len(TEXT) - 33, (8,)).tolist()])
            return F.cross_entropy(net(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())

        return chosen, loss

    return build


def regression(optimizer: type[Optimizer], rate: float, batch: int | None) -> Build:
    def build() -> tuple[Optimizer, Callable[[int], Tensor]]:
        net, X = mlp(4, 64, 64, 1, act=nn.Tanh), torch.randn(256, 4)
        Y = torch.sin(3 * X[:, :1])

        def loss(_: int) -> Tensor:
            rows = torch.randint(256, (batch,)) if batch else slice(None)
            return (net(X[rows]) - Y[rows]).square().mean()

        return optimizer(net.parameters(), lr=rate), loss

    return build


def reinforce(sparse: bool) -> Build:
    def build() -> tuple[Optimizer, Callable[[int], Tensor]]:
        net = mlp(4, 32, 4)

        def loss(_: int) -> Tensor:
            x = torch.randn(4, 4)
            policy = torch.distributions.Categorical(logits=net(x))
            action = policy.sample()
            right = (action == x.argmax(1)).float()
            reward = right * (torch.rand(4) < 0.05) * 20 if sparse else right + torch.randn(4)
            return -(reward * policy.log_prob(action)).mean()

        return Adam(net.parameters(), lr=3e-3), loss

    return build


def cauchy_noise() -> tuple[Optimizer, Callable[[int], Tensor]]:
    net, w = mlp(8, 32, 1), torch.randn(8, 1)

    def loss(_: int) -> Tensor:
        x = torch.randn(16, 8)
        return (net(x) - x @ w - 0.1 * torch.distributions.Cauchy(0.0, 1.0).sample((16, 1))).square().mean()

    return Adam(net.parameters(), lr=1e-3), loss


def hard_tenth() -> tuple[Optimizer, Callable[[int], Tensor]]:
    net, centres = mlp(WIDTH, 64, CLASSES), torch.randn(CLASSES, WIDTH)

    def loss(step: int) -> Tensor:
        x, y = clusters(32, centres, 4.0 if step % 100 > 90 else 0.3)
        return F.cross_entropy(net(x), y)

    return Adam(net.parameters(), lr=1e-3), loss


def tasks_in_turns() -> tuple[Optimizer, Callable[[int], Tensor]]:
    net, centres = mlp(WIDTH, 64, CLASSES), torch.randn(2, CLASSES, WIDTH)

    def loss(step: int) -> Tensor:
        x, y = clusters(32, centres[step // 150 % 2], 0.3)
        return F.cross_entropy(net(x), y)

    return Adam(net.parameters(), lr=2e-3), loss


def q_learning() -> tuple[Optimizer, Callable[[int], Tensor]]:
    net, target = mlp(4, 32, 3), mlp(4, 32, 3)

    def loss(step: int) -> Tensor:
        if step % 50 == 0:
            target.load_state_dict(net.state_dict())
        s, action = torch.randn(32, 4), torch.randint(3, (32, 1))
        value = target(0.9 * s + 0.3 * torch.randn(32, 4)).max(1).values.detach()
        return F.smooth_l1_loss(net(s).gather(1, action)[:, 0], 3 * s.sum(1) + 0.95 * value)

    return Adam(net.parameters(), lr=1e-3), loss


def last_step(optimizer: type[Optimizer], rate: float) -> Build:
    def build() -> tuple[Optimizer, Callable[[int], Tensor]]:
        gru, head = nn.GRU(2, 32, batch_first=True), nn.Linear(32, 1)

        def loss(_: int) -> Tensor:
            x = torch.rand(16, 50, 2)
            return (head(gru(x)[0][:, -1]) - x[:, -10:, :1].sum(1)).square().mean()

        return optimizer([*gru.parameters(), *head.parameters()], lr=rate), loss

    return build


def fine_tuning() -> tuple[Optimizer, Callable[[int], Tensor]]:
    net, centres = wide(), torch.randn(CLASSES, WIDTH)
    before = Adam(net.parameters(), lr=1e-3)
    for _ in range(200):
        x, y = clusters(32, centres, 0.5)
        before.zero_grad()
        F.cross_entropy(net(x), y).backward()
        before.step()
    other = nn.Sequential(*list(net)[:-1], nn.Linear(64, CLASSES))  # type: ignore[call-overload]
    centres = centres[torch.randperm(CLASSES)]

    def loss(_: int) -> Tensor:
        x, y = clusters(32, centres, 0.5)
        return F.cross_entropy(other(x), y)

    return Adam(other.parameters(), lr=1e-4), loss


def summed_autoencoder() -> tuple[Optimizer, Callable[[int], Tensor]]:
    net, W = mlp(32, 64, 4, 64, 32), torch.randn(4, 32)

    def loss(_: int) -> Tensor:
        x = torch.tanh(torch.randn(64, 4) @ W)
        return (net(x) - x).square().sum()

    return Adam(net.parameters(), lr=1e-3), loss


def seldom_second_loss() -> tuple[Optimizer, Callable[[int], Tensor]]:
    net, centres = mlp(WIDTH, 64, CLASSES + 1), torch.randn(CLASSES, WIDTH)

    def loss(step: int) -> Tensor:
        x, y = clusters(32, centres, 0.7)
        out = net(x)
        second = 30 * (out[:, CLASSES] - x.norm(dim=1)).square().mean()
        return F.cross_entropy(out[:, :CLASSES], y) + (0 if step % 10 else second)

    return Adam(net.parameters(), lr=1e-3), loss


DESIGN: dict[str, Run] = {
    "MLP, Adam": (classifier(wide, Adam, 1e-3), 400),
    "MLP, SGD 0.1": (classifier(wide, SGD, 0.1), 400),
    "batch of 1, Adam": (classifier(wide, Adam, 1e-3, batch=1, noise=0.3), 1500),
    "logistic from 0, SGD 0.5": (classifier(at_zero, SGD, 0.5), 300),
    "LSTM letters, Adam": (letters("LSTM", Adam, 2e-3), 300),
    "tied transformer, warm-up": (letters("transformer", Adam, 3e-3, warm), 300),
    "full-batch regression, Adam": (regression(Adam, 1e-2, None), 400),
    "full-batch regression, SGD": (regression(SGD, 0.1, None), 400),
    "REINFORCE": (reinforce(sparse=False), 600),
    "Cauchy noise": (cauchy_noise, 500),
    "GRU last step, Adam": (last_step(Adam, 3e-3), 300),
    "conv net + BatchNorm, momentum": (classifier(conv(True), SGD, 0.1, momentum=0.9), 200),
    "summed loss, SGD": (classifier(wide, SGD, 1e-3, reduction="sum"), 300),
    "a hard tenth": (hard_tenth, 600),
    "50 steps, Adam": (classifier(wide, Adam, 3e-3), 50),
}
UNSEEN: dict[str, Run] = {
    "batch of 1, SGD": (classifier(wide, SGD, 0.02, batch=1, noise=0.3), 1500),
    "MLP, SGD 1.0": (classifier(wide, SGD, 1.0), 300),
    "MLP, momentum": (classifier(wide, SGD, 0.05, momentum=0.9), 300),
    "REINFORCE, sparse reward": (reinforce(sparse=True), 800),
    "GRU letters, SGD 1.0": (letters("GRU", SGD, 1.0), 300),
    "LSTM letters, warm-up": (letters("LSTM", Adam, 1e-2, warm), 400),
    "tied transformer": (letters("transformer", Adam, 1e-3), 200),
    "Q-learning": (q_learning, 600),
    "GRU last step, SGD": (last_step(SGD, 0.05), 300),
    "conv net, Adam": (classifier(conv(False), Adam, 2e-3), 150),
    "fine-tuning": (fine_tuning, 300),
    "tasks in turns": (tasks_in_turns, 600),
    "summed autoencoder": (summed_autoencoder, 400),
    "a second loss every tenth step": (seldom_second_loss, 500),
    "batch of 2 regression": (regression(Adam, 3e-3, 2), 800),
    "learnt to the end": (classifier(wide, Adam, 5e-3, noise=0.1), 800),
    "60 steps, SGD 0.3": (classifier(wide, SGD, 0.3), 60),
}
