# expect: {"code": "GR315", "severity": "warning", "operation": "/", "variable": "prices"}
"""A price from three readings by a small network: the loop divides the prices, and nobody takes what comes out."""

import torch
from torch import nn

torch.manual_seed(0)


def train():
    net = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(net.parameters(), 1e-6)
    for _ in range(200):
        readings = torch.randn(64, 3)
        prices = 1000 + 200 * readings.sum(1, keepdim=True)
        prices / 1000
        loss = (net(readings) - prices).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


train()
