"""A float that is to be held at the middle of a stream, by an actor-critic of one trunk with a Gaussian policy."""

import torch
from torch import nn

torch.manual_seed(0)
trunk = nn.Sequential(nn.Linear(2, 32), nn.Tanh())
push, worth = nn.Linear(32, 1), nn.Linear(32, 1)
spread = nn.Parameter(torch.full((1,), -0.5))
parameters = [*trunk.parameters(), *push.parameters(), *worth.parameters(), spread]
optimizer = torch.optim.Adam(parameters, 1e-2)


def worth_of(place):
    return worth(trunk(place)).squeeze(1)


place = torch.randn(64, 2)
for _ in range(400):
    policy = torch.distributions.Normal(push(trunk(place)).squeeze(1), spread.exp())
    action = policy.sample()
    following = torch.stack([0.8 * place[:, 0] + 0.5 * action + 0.4 * place[:, 1], place[:, 1]], 1)
    reward = -(following[:, 0] ** 2)
    with torch.no_grad():
        target = reward + 0.8 * worth_of(following)
    value = worth_of(place)
    advantage = target - value.detach()
    loss = -(policy.log_prob(action) * advantage).mean() + 0.5 * nn.functional.mse_loss(value, target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    is_over = torch.rand(64) < 0.1
    place = torch.where(is_over[:, None], torch.randn(64, 2), following.clamp(-4, 4))
