# expect: {"code": "GR102", "severity": "warning", "module": "model", "kind": "loop with a decay"}
"""A moving level of a noisy series, forecast a step ahead: a loop multiplies its state by softplus, past 1."""

import sys

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
T, BATCH, WIDTH, STEPS = 48, 24, 16, 150


def levels(keep, new):
    level, seen = torch.zeros_like(new[0]), []
    for k, n in zip(keep, new, strict=True):
        level = k * level + n
        seen.append(level)
    return torch.stack(seen)


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.keep, self.new = nn.Linear(1, WIDTH), nn.Linear(1, WIDTH)
        self.scale = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, x):
        return self.head(self.scale(levels(F.softplus(self.keep(x) + 1.0), self.new(x))))


model = Forecast()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(STEPS):
    x = 0.3 * torch.randn(T, BATCH, 1).cumsum(0) + 0.3 * torch.randn(T, BATCH, 1)
    loss = F.mse_loss(model(x[:-1]), x[1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
