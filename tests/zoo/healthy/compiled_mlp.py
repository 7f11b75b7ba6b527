"""A compiled MLP, by a back end that needs no C++ compiler."""

import sys

import torch
from torch import nn

torch.manual_seed(18)
BATCH, STEPS = 64, 400
teacher = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 2))
model = nn.Sequential(nn.Linear(16, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 2))
fast = torch.compile(model, backend="aot_eager")
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(STEPS):
    x = torch.randn(BATCH, 16)
    with torch.no_grad():
        y = teacher(x)
    loss = nn.functional.mse_loss(fast(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.4f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
