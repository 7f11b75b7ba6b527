# expect: {"code": "GR602", "severity": "warning", "module": "net.3"}
"""A classifier of ten classes ends in a softmax, and cross entropy applies another."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 10), nn.Softmax(dim=1))
optimizer = torch.optim.SGD(net.parameters(), 0.5)
for _ in range(400):
    x = torch.randn(64, 20)
    loss = nn.functional.cross_entropy(net(x), x[:, :10].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
