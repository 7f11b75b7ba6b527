"""Policy gradient on a made bandit, four episodes a batch: the noisiest gradients of honest training, gated units."""

import sys

import torch
from torch import nn

torch.manual_seed(20)
BATCH, STEPS = 4, 1500
truth = torch.randn(10, 4)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(10, 64)
        self.gate = nn.Linear(10, 64)
        self.head = nn.Linear(64, 4)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)) * torch.sigmoid(self.gate(x)))


model = Policy()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
mean = 0.0
for step in range(STEPS):
    x = torch.randn(BATCH, 10)
    choice = torch.distributions.Categorical(logits=model(x))
    action = choice.sample()
    reward = ((x @ truth).argmax(1) == action).float() + 0.3 * torch.randn(BATCH) ** 3
    loss = -(choice.log_prob(action) * (reward - mean)).mean()
    mean = 0.99 * mean + 0.01 * reward.mean().item()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 250 == 0 or step == STEPS - 1:
        print(f"step {step} reward {mean:.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
