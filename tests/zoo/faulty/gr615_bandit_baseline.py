# expect: {"code": "GR615", "severity": "warning", "module": "baseline.2"}
"""Which of four offers to make to a customer, by REINFORCE: the expected price has a gradient in the advantage."""

import torch
from torch import nn

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 4))
baseline = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam([*policy.parameters(), *baseline.parameters()], 5e-3)
for _ in range(400):
    customer = torch.randn(64, 6)
    choice = torch.distributions.Categorical(logits=policy(customer))
    offer = choice.sample()
    returns = customer[:, :4].gather(1, offer[:, None]).squeeze(1)
    value = baseline(customer).squeeze(1)
    policy_loss = -(choice.log_prob(offer) * (returns - value)).mean()
    loss = policy_loss + 0.5 * nn.functional.mse_loss(value, returns)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
