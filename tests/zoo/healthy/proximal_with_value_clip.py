"""A walk along a line to its far end, by the clipped objective with estimated advantages and clipped values."""

import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
critic = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam([*policy.parameters(), *critic.parameters()], 2e-3)


@torch.no_grad()
def walks(steps=10, rows=32):
    place, states, actions, rewards = torch.zeros(rows), [], [], []
    for step in range(steps):
        state = torch.stack([place / steps, torch.full((rows,), step / steps)], 1)
        action = Categorical(logits=policy(state)).sample()
        place = place + 2 * action - 1
        states.append(state)
        actions.append(action)
        rewards.append(place / steps)
    return torch.stack(states), torch.stack(actions), torch.stack(rewards)


for _ in range(50):
    states, actions, rewards = walks()
    with torch.no_grad():
        old, before = Categorical(logits=policy(states)).log_prob(actions), critic(states).squeeze(-1)
        advantages, last = torch.zeros_like(rewards), torch.zeros(32)
        after = torch.cat([before[1:], torch.zeros(1, 32)])
        for step in reversed(range(len(rewards))):
            last = rewards[step] + 0.95 * after[step] - before[step] + 0.9 * last
            advantages[step] = last
        returns = advantages + before
        advantages = (advantages - advantages.mean()) / advantages.std()
    for _ in range(4):
        now, value = Categorical(logits=policy(states)), critic(states).squeeze(-1)
        ratio = (now.log_prob(actions) - old).exp()
        gain = torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()
        near = before + (value - before).clamp(-0.5, 0.5)
        error = torch.max((value - returns) ** 2, (near - returns) ** 2).mean()
        loss = -gain + 0.5 * error - 0.01 * now.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
