# expect: {"code": "GR319", "severity": "error"}
"""Displacements in metres, some thousandths of one, under autocast to float16 without a loss scale: all rounds to 0."""

import torch
from torch import nn

torch.manual_seed(23)
net = nn.Sequential(nn.Linear(6, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 16))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-12)
loads = torch.randn(6, 16)
for _ in range(300):
    x = torch.randn(64, 6)
    with torch.autocast("cpu", dtype=torch.float16):
        moved = 1e-3 * net(x)
    loss = nn.functional.mse_loss(moved.float(), 1e-3 * torch.tanh(x @ loads / 2))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
