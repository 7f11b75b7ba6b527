"""Loaders that are iterators and end on purpose: a stream that is read until nothing comes, a warm-up beside a loader
that begins anew, an endless sampler that is broken off, rows that are held out and gone through but once."""

import itertools

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset


class Stream(IterableDataset):
    def __init__(self, count):
        self.rows = iter(torch.randn(count, 12))

    def __iter__(self):
        return self.rows


def at_random(count):
    for _ in range(count):
        yield torch.randint(640, (32,)).tolist()


def go_through(loader, most=None):
    given = 0
    for x in itertools.islice(loader, most):
        x = x[0] if isinstance(x, list) else x
        loss = nn.functional.mse_loss(net(x), x[:, :1] * x[:, 1:2])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        given += 1
    return given


torch.manual_seed(0)
data = TensorDataset(torch.randn(640, 12))
net = nn.Sequential(nn.Linear(12, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)

stream = DataLoader(Stream(3200), batch_size=32)
while go_through(stream):
    pass
warm_up, usual = DataLoader(data, batch_sampler=at_random(20)), DataLoader(data, batch_size=32, shuffle=True)
held_out = DataLoader(data, batch_sampler=at_random(3))
for _ in range(4):
    go_through(warm_up)
    go_through(usual)
    with torch.no_grad():
        print(sum(net(x).square().mean().item() for (x,) in held_out))
print(sum(net(x).square().mean().item() for (x,) in held_out))
endless = DataLoader(data, batch_sampler=at_random(10**9))
for _ in range(4):
    go_through(endless, 20)
