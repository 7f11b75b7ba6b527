"""Q-learning with a target network that is copied now and then, called with gradients on and detached."""

import copy

import torch
from torch import nn

torch.manual_seed(0)
value = nn.Sequential(nn.Linear(6, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 3))
target = copy.deepcopy(value)
optimizer = torch.optim.Adam(value.parameters(), 1e-3)
for step in range(300):
    state, after, reward = torch.randn(32, 6), torch.randn(32, 6), torch.randn(32)
    action = torch.randint(0, 3, (32, 1))
    wanted = reward + state[:, 0] + 0.9 * target(after).max(1).values.detach()
    loss = nn.functional.smooth_l1_loss(value(state).gather(1, action).squeeze(1), wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 99:
        target.load_state_dict(value.state_dict())
