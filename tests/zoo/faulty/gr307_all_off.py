# expect: {"code": "GR307", "severity": "error", "module": "net.2", "operation": "relu", "also": ["GR204", "GR302"]}
"""One batch of corrupt targets throws a small ReLU net to where every unit of a layer is off, for every input."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(net.parameters(), 0.02)
mixing = torch.randn(6, 1)
for step in range(220):
    x = torch.rand(32, 6)
    y = (x @ mixing).abs() - (3e3 if step == 40 else 0.0)
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
