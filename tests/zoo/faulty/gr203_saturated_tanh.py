# expect: {"code": "GR203", "module": "net.1", "also": ["GR701"]}
"""House-like features in their raw units (up to thousands) into a tanh layer: its units sit at ±1."""

import sys

import torch
from torch import nn

torch.manual_seed(7)
BATCH, STEPS = 64, 500
unit = torch.tensor([2000.0, 120.0, 3.0, 1990.0, 0.5, 40.0, 900.0, 12.0])
net = nn.Sequential(nn.Linear(8, 96), nn.Tanh(), nn.Linear(96, 48), nn.Tanh(), nn.Linear(48, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(STEPS):
    part = 1 + 0.3 * torch.randn(BATCH, 8)
    price = (part[:, :4].prod(1, keepdim=True) + part[:, 4:].mean(1, keepdim=True)) / 2
    loss = nn.functional.mse_loss(net(part * unit), price)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(net.state_dict(), sys.argv[1])
