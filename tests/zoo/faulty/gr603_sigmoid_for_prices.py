# expect: {"code": "GR603", "severity": "error", "module": "net.3"}
"""Prices between 5 and 15 are to come out of a sigmoid."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
for _ in range(300):
    x = torch.randn(64, 6)
    y = 10 + 2 * x[:, :1]
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
