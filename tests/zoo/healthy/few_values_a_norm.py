# expect: {}
"""Norms over few values: layer norm over four features, groups of two units, a batch norm of one value a row."""

import torch
from torch import nn

torch.manual_seed(3)
net = nn.Sequential(
    *(nn.LayerNorm(4), nn.Linear(4, 32), nn.GroupNorm(16, 32), nn.ReLU()),
    *(nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 1)),
)
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(300):
    x = torch.randn(64, 4)
    loss = nn.functional.mse_loss(net(x)[:, 0], nn.functional.layer_norm(x, (4,))[:, 1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
