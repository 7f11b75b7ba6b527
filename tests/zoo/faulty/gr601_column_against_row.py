# expect: {"code": "GR601", "severity": "error", "module": "net.2"}
"""A regression whose output is a column and whose target is a row: all pairs are compared."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(200):
    x = torch.randn(64, 6)
    y = x[:, 0] - x[:, 1] * x[:, 2]
    loss = ((net(x) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
