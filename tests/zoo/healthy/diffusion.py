"""Denoising diffusion of points on a ring: the error of the noise rests at a level that is no fault."""

import math

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))
optimizer = torch.optim.Adam(net.parameters(), 2e-3)
kept = torch.cos(torch.linspace(0, 1.5, 50)).square()
for _ in range(400):
    angle = 2 * math.pi * torch.rand(128, 1)
    x = torch.cat([angle.cos(), angle.sin()], 1)
    t = torch.randint(0, 50, (128,))
    noise = torch.randn_like(x)
    level = kept[t, None]
    noisy = level.sqrt() * x + (1 - level).sqrt() * noise
    loss = nn.functional.mse_loss(net(torch.cat([noisy, t[:, None] / 50], 1)), noise)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
