"""A critic that wins at once, in passes of its own for real and for generated points, and one by differences of scores:
each line asks for one number, and no adversary for one alone."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


def made(rate):
    maker = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3))
    critic = nn.Sequential(nn.Linear(3, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
    return maker, critic, torch.optim.Adam(maker.parameters(), rate), torch.optim.Adam(critic.parameters(), 3e-3)


score, one = F.binary_cross_entropy_with_logits, torch.ones(32, 1)
maker, critic, of_maker, of_critic = made(1e-5)
for _ in range(250):
    real, fake = 4 + 0.2 * torch.randn(32, 3), maker(torch.randn(32, 4))
    of_critic.zero_grad()
    score(critic(real), one).backward()
    score(critic(fake.detach()), 0 * one).backward()
    of_critic.step()
    of_maker.zero_grad()
    score(critic(fake), one).backward()
    of_maker.step()

maker, critic, of_maker, of_critic = made(1e-5)
for _ in range(250):
    real, fake = 4 + 0.2 * torch.randn(32, 3), maker(torch.randn(32, 4))
    of_critic.zero_grad()
    score(critic(real) - critic(fake.detach()), one).backward()
    of_critic.step()
    of_maker.zero_grad()
    score(critic(fake) - critic(real), one).backward()
    of_maker.step()
