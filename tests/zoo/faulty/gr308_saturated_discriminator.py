# expect: {"code": "GR308", "severity": "error", "module": "critic.3"}
"""Adversaries far apart: the critic is certain at once, and the generator's loss log(1 − D) has lost its slope."""

import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3))
critic = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 1), nn.Sigmoid())
of_generator = torch.optim.Adam(generator.parameters(), 1e-4)
of_critic = torch.optim.Adam(critic.parameters(), 1e-2)
score = nn.BCELoss()
for _ in range(150):
    real, fake = 8.0 + 0.2 * torch.randn(32, 3), generator(torch.randn(32, 4))
    loss = score(critic(real), torch.ones(32, 1)) + score(critic(fake.detach()), torch.zeros(32, 1))
    of_critic.zero_grad()
    loss.backward()
    of_critic.step()
    gain = torch.log(1.0 - critic(fake) + 1e-9).mean()
    of_generator.zero_grad()
    gain.backward()
    of_generator.step()
