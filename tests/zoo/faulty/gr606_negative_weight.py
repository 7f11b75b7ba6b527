# expect: {"code": "GR606", "severity": "error", "module": "net.2", "why": "weights"}
"""A rare class, weighted by a difference of counts that is taken the wrong way round."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(512, 8)
y = (x[:, :1] + x[:, 1:2] > 1.8).float()
positives = y.sum()
weight = (positives - len(y)) / positives
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(300):
    rows = torch.randint(0, len(x), (64,))
    loss = nn.functional.binary_cross_entropy_with_logits(net(x[rows]), y[rows], pos_weight=weight)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
