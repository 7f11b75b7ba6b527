"""A clipped policy objective over several epochs a batch, with advantages that are normalised."""

import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3))
critic = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam([*policy.parameters(), *critic.parameters()], 2e-3)
for _ in range(60):
    state = torch.randn(128, 4)
    with torch.no_grad():
        before = Categorical(logits=policy(state))
        action = before.sample()
        reward = (action == state[:, :3].argmax(1)).float()
        advantage = reward - critic(state).squeeze(1)
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
        old = before.log_prob(action)
    for _ in range(4):
        now = Categorical(logits=policy(state))
        ratio = (now.log_prob(action) - old).exp()
        gain = torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()
        value = (critic(state).squeeze(1) - reward).square().mean()
        loss = -gain + 0.5 * value - 0.01 * now.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*policy.parameters(), *critic.parameters()], 0.5)
        optimizer.step()
