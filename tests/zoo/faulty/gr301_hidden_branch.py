# expect: {"code": "GR301", "module": "model.rate", "phase": "backward", "cause": "hidden branch", "step": 83}
"""An intensity that is exponential below 0 and linear above: for a large input the branch not taken overflows."""

import sys

import torch
from torch import nn

torch.manual_seed(21)
BATCH, STEPS = 512, 130


class Rate(nn.Module):
    def forward(self, a):
        return torch.where(a < 0, torch.exp(a), a + 1)


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 384), nn.Tanh(), nn.Linear(384, 384), nn.Tanh(), nn.Linear(384, 1))
        self.rate = Rate()

    def forward(self, x):
        return self.rate(self.body(x) + x[:, :1])


model = Counts()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    x = torch.randn(BATCH, 12)
    if step == 83:
        x[31, 0] = 120.0
    loss = nn.functional.smooth_l1_loss(model(x), 1 + x[:, 1:2].relu())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
