# expect: {"code": "GR608", "severity": "warning", "module": "net.2", "common": 0, "rare": 3}
"""Four classes of unlike size, each weighted by its count."""

import torch
from torch import nn

torch.manual_seed(0)
shares = torch.tensor([0.7, 0.2, 0.08, 0.02])
centres = torch.randn(4, 10)
y = torch.multinomial(shares, 4000, replacement=True)
x = centres[y] + torch.randn(4000, 10)
weight = y.bincount() / len(y)
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(300):
    rows = torch.randint(0, len(x), (64,))
    loss = nn.functional.cross_entropy(net(x[rows]), y[rows], weight=weight)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
