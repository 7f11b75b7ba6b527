"""Checkpoints are loaded with strict=False in every way that brings weights: without the head, in two files, by a
second try under other names, into one part; a teacher whose load fails is no part of the training."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(12, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
        self.head = nn.Linear(48, classes)

    def forward(self, x):
        return self.head(self.encoder(x))


def fit(net, classes, steps, teacher=None):
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=3e-3)
    for _ in range(steps):
        x = torch.randn(64, 12)
        out = net(x)
        loss = nn.functional.cross_entropy(out, x[:, :classes].argmax(1))
        if teacher is not None:
            with torch.no_grad():
                wanted = teacher(x)
            loss = loss + 1e-3 * (out - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


torch.manual_seed(0)
source = Net(6)
fit(source, 6, 100)
state = source.state_dict()
wrapped = {f"module.{name}": tensor for name, tensor in state.items()}

headless = Net(4)
headless.load_state_dict({name: each for name, each in state.items() if "head" not in name}, strict=False)
teacher = Net(4)
teacher.load_state_dict(wrapped, strict=False)
fit(headless, 4, 100, teacher)

halves = Net(6)
halves.load_state_dict({name: each for name, each in state.items() if "head" in name}, strict=False)
halves.load_state_dict({name: each for name, each in state.items() if "head" not in name}, strict=False)
fit(halves, 6, 100)

second = Net(6)
if second.load_state_dict(wrapped, strict=False).missing_keys:
    second.load_state_dict({name.removeprefix("module."): each for name, each in wrapped.items()})
fit(second, 6, 100)

part = Net(4)
part.load_state_dict(wrapped, strict=False)
part.encoder.load_state_dict(source.encoder.state_dict())
fit(part, 4, 100)
part.load_state_dict(wrapped, strict=False)
