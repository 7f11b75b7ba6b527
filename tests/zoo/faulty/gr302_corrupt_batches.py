# expect: {"code": "GR302"}
"""One batch in forty holds targets in the wrong unit, a thousand times too large."""

import sys

import torch
from torch import nn

torch.manual_seed(15)
BATCH, STEPS = 512, 340
teacher = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 1))
model = nn.Sequential(nn.Linear(12, 384), nn.ReLU(), nn.Linear(384, 384), nn.ReLU(), nn.Linear(384, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    x = torch.randn(BATCH, 12)
    with torch.no_grad():
        y = teacher(x)
    if step % 41 == 40:
        y[:8] = 1000 * y[:8]
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 41 in (0, 40) or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
