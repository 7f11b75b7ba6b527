# expect: {"code": "GR704", "severity": "warning", "module": "net.2"}
"""Data that are sorted by class and read in their order, a batch of one class after the other."""

import torch
from torch import nn

torch.manual_seed(3)
centers = torch.randn(4, 10)
target = torch.arange(4).repeat_interleave(500)
data = centers[target] + 0.7 * torch.randn(2000, 10)
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(net.parameters(), 0.05)
for _ in range(5):
    for x, y in zip(data.split(32), target.split(32), strict=True):
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
