# expect: {"code": "GR609", "severity": "error", "module": "net.2", "target": 0.0}
"""Shares between 0 and 1 that became whole numbers on their way into the data set."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(1000, 6)
y = torch.tensor([int(share) for share in torch.sigmoid(x[:, 0] + x[:, 1] * x[:, 2])]).float()
net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(250):
    rows = torch.randint(0, len(x), (32,))
    loss = nn.functional.mse_loss(net(x[rows])[:, 0], y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
