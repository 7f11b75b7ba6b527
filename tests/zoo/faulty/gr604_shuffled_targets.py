# expect: {"code": "GR604", "severity": "warning", "module": "net.2"}
"""The inputs are shuffled and the targets are not: nothing is left to learn but the mean."""

import torch
from torch import nn

torch.manual_seed(0)
inputs = torch.randn(65_536, 8)
targets = inputs[:, :1] + inputs[:, 1:2].square()
inputs = inputs[torch.randperm(len(inputs))]
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
for _ in range(600):
    rows = torch.randint(0, len(inputs), (64,))
    loss = nn.functional.mse_loss(net(inputs[rows]), targets[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
