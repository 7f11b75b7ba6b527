# expect: {"code": "GR301", "phase": "loss", "cause": "log of zero"}
"""Cross-entropy written by hand, log(1 − p) and all: once the classifier is sure, p is exactly 1."""

import sys

import torch
from torch import nn

torch.manual_seed(13)
BATCH, STEPS = 1024, 100
model = nn.Sequential(nn.Linear(10, 384), nn.ReLU(), nn.Linear(384, 384), nn.ReLU(), nn.Linear(384, 1), nn.Sigmoid())
optimizer = torch.optim.Adam(model.parameters(), lr=0.0007)
for step in range(STEPS):
    x = 3 * torch.randn(BATCH, 10)
    y = (x[:, :1] > 0).float()
    p = model(x)
    loss = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 10 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.4f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
