"""Adversaries that share a batch of fakes: both pass back before either steps, each cleared before its own."""

import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 2))
critic = nn.Sequential(nn.Linear(2, 24), nn.LeakyReLU(0.2), nn.Linear(24, 1))
of_generator = torch.optim.Adam(generator.parameters(), 1e-3, betas=(0.5, 0.9))
of_critic = torch.optim.Adam(critic.parameters(), 1e-3, betas=(0.5, 0.9))
score = nn.functional.binary_cross_entropy_with_logits
for _ in range(150):
    real, fake = 1.0 + 0.5 * torch.randn(32, 2), generator(torch.randn(32, 4))
    ones = torch.ones(32, 1)
    gain = score(critic(fake), ones)
    of_generator.zero_grad(set_to_none=False)
    gain.backward(retain_graph=True)
    loss = score(critic(real), ones) + score(critic(fake.detach()), 0 * ones)
    of_critic.zero_grad(set_to_none=False)
    loss.backward()
    of_generator.step()
    of_critic.step()
