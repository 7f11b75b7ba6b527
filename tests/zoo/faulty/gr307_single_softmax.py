# expect: {"code": "GR307", "severity": "error", "operation": "softmax", "why": "single"}
"""One output for two classes, and a softmax over it: it is 1 for every input, and has no slope."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 1), nn.Softmax(dim=1))
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(150):
    x = torch.randn(32, 8)
    y = (x[:, :1] > 0).float()
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
