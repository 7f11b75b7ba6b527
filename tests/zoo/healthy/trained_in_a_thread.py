"""A training that runs in a worker thread, while the main thread waits for it."""

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn


def train(rate):
    net = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), rate)
    weights = torch.randn(10, 1)
    for _ in range(300):
        x = torch.randn(64, 10)
        loss = (net(x) - torch.tanh(x @ weights)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


torch.manual_seed(0)
with ThreadPoolExecutor(1) as pool:
    print(pool.submit(train, 3e-3).result())
