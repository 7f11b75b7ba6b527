# expect: {"code": "GR304", "also": ["GR301", "GR305"]}
"""Regression with a rate that climbs too far: the norm doubles and doubles, and nothing clips it."""

import sys

import torch
from torch import nn

torch.manual_seed(17)
BATCH, STEPS = 1024, 120
size = torch.linspace(0.5, 4, 16)
truth = torch.randn(16, 1)
model = nn.Sequential(nn.Linear(16, 384), nn.ReLU(), nn.Linear(384, 384), nn.ReLU(), nn.Linear(384, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
for step in range(STEPS):
    x = torch.randn(BATCH, 16) * size
    loss = nn.functional.mse_loss(model(x), x @ truth)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    for group in optimizer.param_groups:
        group["lr"] *= 1.05
    if step % 10 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3g}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
