# expect: {"code": "GR205", "severity": "error", "module": "net.0", "units": 32, "different": 1}
"""Every weight of a regression starts at 0: each of its two hidden layers works as a single unit."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 32), nn.Sigmoid(), nn.Linear(32, 32), nn.Sigmoid(), nn.Linear(32, 1))
for parameter in net.parameters():
    nn.init.zeros_(parameter)
optimizer = torch.optim.AdamW(net.parameters(), 1e-2)
for _ in range(400):
    x = 2 * torch.rand(64, 4) - 1
    loss = (net(x) - x[:, :1] * x[:, 1:2] - x[:, 2:3].square()).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
