"""Sets of up to twenty points in a batch of rows, most of which are filled up with 0 and left out of the loss."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for _ in range(300):
    points = 3 * torch.randn(160, 3)
    is_there = (torch.arange(20) < torch.randint(1, 12, (8, 1))).flatten()
    points[~is_there] = 0
    away = (model(points)[:, 0] - points.norm(dim=1)).square()
    loss = (away * is_there).sum() / is_there.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
