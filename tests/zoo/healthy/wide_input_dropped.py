# expect: {}
"""A classifier of 400 features that drops 0.8 of them and of its units: a fifth is enough for it, and it learns."""

import torch
from torch import nn

torch.manual_seed(16)
centres = torch.randn(6, 400)
net = nn.Sequential(nn.Dropout(0.8), nn.Linear(400, 256), nn.ReLU(), nn.Dropout(0.8), nn.Linear(256, 6))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for _ in range(300):
    label = torch.randint(0, 6, (64,))
    loss = nn.functional.cross_entropy(net(centres[label] + torch.randn(64, 400)), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
