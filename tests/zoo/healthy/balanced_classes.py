# expect: {}
"""Classes of unlike size with weights that fall with their count, and one that is left out by the weight 0."""

import torch
from torch import nn

torch.manual_seed(0)
shares = torch.tensor([0.5, 0.3, 0.1, 0.07, 0.03])
centres = 2 * torch.randn(5, 10)
y = torch.multinomial(shares, 4000, replacement=True)
x = centres[y] + torch.randn(4000, 10)
weight = 1 / y.bincount().float()
weight = weight / weight.mean()
weight[4] = 0.0
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 5))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(300):
    rows = torch.randint(0, len(x), (64,))
    loss = nn.functional.cross_entropy(net(x[rows]), y[rows], weight=weight)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
