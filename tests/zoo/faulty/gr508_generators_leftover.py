# expect: {"code": "GR508", "module": "critic"}
"""A GAN each of whose optimizers clears after its own step: the generator's pass leaves the critic a gradient."""

import torch
from torch import nn

torch.manual_seed(0)
maker = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
critic = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
of_maker = torch.optim.Adam(maker.parameters(), 1e-3, betas=(0.5, 0.99))
of_critic = torch.optim.Adam(critic.parameters(), 1e-3, betas=(0.5, 0.99))
for _ in range(300):
    real = torch.randn(32, 2) * 0.2 + 1.0
    loss = nn.functional.softplus(-critic(maker(torch.randn(32, 4)))).mean()
    loss.backward()
    of_maker.step()
    of_maker.zero_grad()
    made = maker(torch.randn(32, 4)).detach()
    loss = nn.functional.softplus(critic(made)).mean() + nn.functional.softplus(-critic(real)).mean()
    loss.backward()
    of_critic.step()
    of_critic.zero_grad()
