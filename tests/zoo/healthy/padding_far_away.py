"""How far the middle of a set of points lies from 0: sets are filled up with points a million away, which are left out
of the mean."""

import torch
from torch import nn


class Middle(nn.Module):
    def __init__(self):
        super().__init__()
        self.each, self.head = nn.Sequential(nn.Linear(2, 32), nn.ReLU()), nn.Linear(32, 1)

    def forward(self, points, is_there):
        each = self.each(points) * is_there[..., None]
        return self.head(each.sum(1) / is_there.sum(1, keepdim=True))[:, 0]


torch.manual_seed(0)
model = Middle()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for _ in range(300):
    points = torch.randn(32, 1, 2) + 0.3 * torch.randn(32, 10, 2)
    is_there = torch.arange(10) < torch.randint(4, 11, (32, 1))
    wanted = (points * is_there[..., None]).sum(1).norm(dim=1) / is_there.sum(1)
    points[~is_there] = 1e6
    loss = nn.functional.mse_loss(model(points, is_there), wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
