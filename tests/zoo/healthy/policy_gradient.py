"""REINFORCE with a baseline on a small decision: the loss is no error, and the shapes of its factors agree."""

import torch
from torch import nn

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
value = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam([*policy.parameters(), *value.parameters()], 3e-3)
for _ in range(300):
    state = torch.randn(64, 4)
    choice = torch.distributions.Categorical(logits=policy(state))
    action = choice.sample()
    reward = (action == (state[:, 0] + state[:, 1] > 0)).float() + 0.1 * torch.randn(64)
    baseline = value(state).squeeze(1)
    advantage = (reward - baseline).detach()
    loss = -(choice.log_prob(action) * advantage).mean() + (baseline - reward).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
