# expect: {"code": "GR701", "severity": "error", "module": "net.0", "has": ["largest_row"]}
"""A regression from the readings of a station, where the file has 1e10 for a reading that is missing."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 1))
optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
readings = torch.randn(2000, 8)
wanted = readings[:, :1] * readings[:, 1:2] + readings[:, 2:3]
readings[torch.rand(2000, 8) < 0.02] = 1e10
for _ in range(300):
    rows = torch.randint(0, 2000, (64,))
    loss = nn.functional.smooth_l1_loss(net(readings[rows]), wanted[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
