"""Signals repainted under a critic: the loss of the painter holds (1 − score)², and the critic has one of its own."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
painter = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 16))
critic = nn.Sequential(nn.Linear(16, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
paints = torch.optim.Adam(painter.parameters(), 2e-3)
judges = torch.optim.Adam(critic.parameters(), 1e-3)
for _ in range(300):
    phase = 6.28 * torch.rand(64, 1)
    clean = torch.sin(phase + torch.arange(16) / 2)
    worn = clean * (torch.rand(64, 16) > 0.3)
    painted = painter(worn)
    loss = F.l1_loss(painted, clean) + 0.05 * (1 - critic(painted)).pow(2).mean()
    paints.zero_grad()
    loss.backward()
    paints.step()
    verdict = (1 - critic(clean)).pow(2).mean() + critic(painted.detach()).pow(2).mean()
    judges.zero_grad()
    verdict.backward()
    judges.step()
