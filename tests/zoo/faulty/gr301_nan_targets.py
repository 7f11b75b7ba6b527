# expect: {"code": "GR301", "phase": "input", "cause": "targets", "step": 72}
"""A table with missing measurements: the targets of one row are NaN, the inputs are clean."""

import sys

import torch
from torch import nn

torch.manual_seed(25)
BATCH, STEPS = 512, 110
model = nn.Sequential(nn.Linear(14, 384), nn.ReLU(), nn.Linear(384, 384), nn.ReLU(), nn.Linear(384, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    x = torch.randn(BATCH, 14)
    y = torch.stack([x[:, 0], x[:, 1] * x[:, 2], x[:, 3].abs()], 1)
    if step == 72:
        y[401, 2] = float("nan")
    loss = (model(x) - y).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
