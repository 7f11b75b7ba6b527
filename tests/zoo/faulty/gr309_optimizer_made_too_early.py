# expect: {"code": "GR309", "severity": "warning", "module": "net.3"}
"""The last layers of a network are replaced after its optimizer was made: the new ones never move."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10))
optimizer = torch.optim.SGD(net.parameters(), 0.05)
net[3] = nn.Linear(32, 3)
for _ in range(150):
    x = torch.randn(32, 8)
    loss = nn.functional.cross_entropy(net(x), x[:, :3].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
