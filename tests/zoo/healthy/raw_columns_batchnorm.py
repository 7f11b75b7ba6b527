"""Columns of unlike units go into a BatchNorm as they are, which scales them."""

import torch
from torch import nn

torch.manual_seed(1)
COUNT = 800
height, weight, age = 1700 + 100 * torch.randn(COUNT), 70000 + 9000 * torch.randn(COUNT), 15000 * torch.rand(COUNT)
data = torch.stack([height, weight, age], 1)
target = ((height - 1700) / 100 + (weight - 70000) / 9000 > 0).long()
net = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(300):
    rows = torch.randint(0, COUNT, (32,))
    loss = nn.functional.cross_entropy(net(data[rows]), target[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
