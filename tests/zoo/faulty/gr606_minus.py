# expect: {"code": "GR606", "severity": "error", "module": "net.2", "why": "sign"}
"""A regression whose squared error is made larger."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(300):
    x = torch.randn(32, 6)
    reward = 1 - nn.functional.mse_loss(net(x), x[:, :1] * x[:, 1:2])
    optimizer.zero_grad()
    reward.backward()
    optimizer.step()
