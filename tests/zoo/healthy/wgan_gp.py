"""Adversaries with a gradient penalty: the critic's loss holds a first derivative of a network of ReLU."""

import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
critic = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
of_generator = torch.optim.Adam(generator.parameters(), 1e-3, betas=(0.5, 0.9))
of_critic = torch.optim.Adam(critic.parameters(), 1e-3, betas=(0.5, 0.9))
for _ in range(150):
    real, fake = torch.randn(64, 2) * torch.tensor([1.0, 0.3]), generator(torch.randn(64, 4))
    share = torch.rand(64, 1)
    between = (share * real + (1 - share) * fake.detach()).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    penalty = (slope.norm(dim=1) - 1.0).square().mean()
    loss = critic(fake.detach()).mean() - critic(real).mean() + 10.0 * penalty
    of_critic.zero_grad()
    loss.backward()
    of_critic.step()
    gain = -critic(fake).mean()
    of_generator.zero_grad()
    gain.backward()
    of_generator.step()
