"""A critic between two distributions with a gradient penalty: autograd.grad with create_graph inside every loss."""

import sys

import torch
from torch import nn

torch.manual_seed(16)
BATCH, STEPS = 64, 400
critic = nn.Sequential(nn.Linear(12, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU(), nn.Linear(96, 1))
optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
shift = torch.linspace(-1, 1, 12)
for step in range(STEPS):
    a, b = torch.randn(BATCH, 12), 0.7 * torch.randn(BATCH, 12) + shift
    between = torch.lerp(a, b, torch.rand(BATCH, 1)).requires_grad_()
    slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
    penalty = ((slope.norm(dim=1) - 1) ** 2).mean()
    gap = critic(b).mean() - critic(a).mean()
    loss = 10 * penalty - gap
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f} distance {gap.item():.3f}")
if len(sys.argv) > 1:
    torch.save(critic.state_dict(), sys.argv[1])
