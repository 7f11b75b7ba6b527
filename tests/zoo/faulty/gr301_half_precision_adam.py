# expect: {"code": "GR301", "phase": "parameters", "cause": "optimizer constant", "step": 1}
"""Weights in float16 with Adam as it comes: its eps of 1e-8 is 0 in that format, and the first update 0 / 0."""

import sys

import torch
from torch import nn

torch.manual_seed(23)
BATCH, STEPS = 256, 40
model = nn.Sequential(nn.Linear(20, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 2)).half()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
for step in range(STEPS):
    x = torch.randn(BATCH, 20)
    y = (x[:, 0] * x[:, 1] > 0).long()
    loss = nn.functional.cross_entropy(model(x.half()).float(), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 10 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
