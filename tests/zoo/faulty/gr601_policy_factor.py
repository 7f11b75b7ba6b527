# expect: {"code": "GR601", "severity": "error"}
"""A policy gradient whose advantages are a column: every action is weighed with the advantages of all others."""

import torch
from torch import nn

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(policy.parameters(), 3e-3)
for _ in range(200):
    state = torch.randn(48, 4)
    scores = torch.distributions.Categorical(logits=policy(state))
    action = scores.sample()
    reward = (action == (state[:, 0] > 0)).float()
    advantage = (reward - reward.mean()).unsqueeze(1)
    loss = -(scores.log_prob(action) * advantage).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
