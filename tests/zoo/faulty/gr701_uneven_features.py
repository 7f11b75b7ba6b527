# expect: {"code": "GR701", "severity": "warning", "module": "net.0", "also": ["GR203"]}
"""A year beside numbers between 0 and 1: it drowns them, and every logistic unit is flat."""

import torch
from torch import nn

torch.manual_seed(1)
net = nn.Sequential(nn.Linear(4, 16), nn.Sigmoid(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
for _ in range(300):
    x = torch.rand(64, 4)
    y = (x[:, :1] - 0.5) * 3.5 + 3 * x[:, 1:2]
    x[:, 0] = 1950 + 70 * x[:, 0]
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
