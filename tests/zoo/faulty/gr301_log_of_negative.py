# expect: {"code": "GR301", "module": "model.log", "phase": "forward", "cause": "log of a negative"}
"""A module takes the logarithm of a learned scale that training pushes below zero."""

import sys

import torch
from torch import nn

torch.manual_seed(10)
BATCH, STEPS = 1024, 80


class Log(nn.Module):
    def forward(self, x):
        return torch.log(x)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 384), nn.Tanh(), nn.Linear(384, 384), nn.Tanh(), nn.Linear(384, 1))
        self.log = Log()

    def forward(self, x):
        return self.log(2.0 + self.body(x))


model = Scaled()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
for step in range(STEPS):
    x = torch.randn(BATCH, 12)
    loss = nn.functional.mse_loss(model(x), x[:, :1] - 2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 15 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
