# expect: {"code": "GR301", "phase": "input", "step": 90}
"""One feature of one sample of batch 90 is infinite."""

import sys

import torch
from torch import nn

torch.manual_seed(12)
BATCH, STEPS = 1024, 130
truth = torch.randn(16, 1)
model = nn.Sequential(nn.Linear(16, 384), nn.ReLU(), nn.Linear(384, 384), nn.ReLU(), nn.Linear(384, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(STEPS):
    x = torch.randn(BATCH, 16)
    y = x @ truth
    if step == 90:
        x[3, 5] = float("inf")
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
