"""One example in two hundred is of the second class: most batches hold the first one alone."""

import torch
from torch import nn

torch.manual_seed(3)
data, target = torch.randn(2000, 10), (torch.rand(2000) < 0.005).long()
data[target == 1] += 2.0
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.SGD(net.parameters(), 0.05)
for _ in range(250):
    rows = torch.randint(0, 2000, (16,))
    loss = nn.functional.cross_entropy(net(data[rows]), target[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
