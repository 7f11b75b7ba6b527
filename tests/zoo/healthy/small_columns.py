# expect: {}
"""Columns in units so large that their numbers are small, rms 0.03, which the first layer learns to make much of."""

import torch
from torch import nn

torch.manual_seed(2)
net = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(net.parameters(), 2e-2)
for _ in range(400):
    x = 0.03 * torch.randn(64, 6)
    loss = nn.functional.mse_loss(net(x)[:, 0], 30 * x[:, 0] + torch.sin(60 * x[:, 1]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
