# expect: {"code": "GR610", "severity": "warning"}
"""A fit whose second target is added to the loss as a number, by item()."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
total = 0.0
for _ in range(250):
    x = torch.randn(64, 8)
    out = net(x)
    first = nn.functional.mse_loss(out[:, 0], x[:, 0] * x[:, 1])
    second = nn.functional.mse_loss(out[:, 1], x[:, 2] + x[:, 3]).item()
    loss = first + second
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
