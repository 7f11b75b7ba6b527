# expect: {"code": "GR301", "phase": "input", "step": 0, "cause": "sum of a row"}
"""Documents as shares of their words; in some none of the words of the dictionary occurs."""

import torch
from torch import nn

torch.manual_seed(0)
topics = torch.softmax(2 * torch.randn(5, 80), 1)
label = torch.randint(0, 5, (300,))
counts = torch.poisson(12 * topics[label])
counts[[17, 120, 121]] = 0.0
shares = counts / counts.sum(1, keepdim=True)
net = nn.Sequential(nn.Linear(80, 32), nn.ReLU(), nn.Linear(32, 5))
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(100):
    loss = nn.functional.cross_entropy(net(shares), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
