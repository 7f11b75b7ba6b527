"""A painter's step scores its picture twice: with its gradient, and detached beside real ones for the scale."""

import torch
from torch import nn

torch.manual_seed(0)
painter = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 8))
critic = nn.Sequential(nn.Linear(8, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
paints = torch.optim.Adam(painter.parameters(), lr=5e-4, betas=(0.5, 0.999))
criticises = torch.optim.Adam(critic.parameters(), lr=5e-4, betas=(0.5, 0.999))
softplus = nn.functional.softplus
mixing = torch.randn(6, 8)
for _step in range(250):
    real = torch.tanh(torch.randn(64, 6) @ mixing)
    painted = painter(torch.randn(64, 6))

    criticises.zero_grad()
    apart = critic(painted.detach()) - critic(real)
    softplus(apart).mean().backward()
    criticises.step()

    paints.zero_grad()
    centre = critic(painted.detach()).mean() - critic(real).mean()
    loss = softplus(-(critic(painted) - critic(real))).mean() + 1e-3 * centre.square()
    loss.backward()
    paints.step()
