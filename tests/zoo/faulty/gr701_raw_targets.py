# expect: {"code": "GR701", "severity": "error", "module": "net.2", "has": ["target_mean"]}
"""Prices of about 250,000 as targets, at a rate that suits targets of size 1: the output never gets there."""

import torch
from torch import nn

torch.manual_seed(1)
net = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
for _ in range(300):
    x = torch.randn(64, 6)
    y = 250_000 + 40_000 * x[:, :1] + 10_000 * x[:, 1:2]
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
