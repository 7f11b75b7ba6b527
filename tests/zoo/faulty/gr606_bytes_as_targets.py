# expect: {"code": "GR606", "severity": "error", "module": "net.2", "why": "targets"}
"""An autoencoder of patterns whose targets are bytes, under a binary cross entropy."""

import torch
from torch import nn

torch.manual_seed(0)
patterns = (torch.rand(6, 64) < 0.4).float()
net = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 64))
optimizer = torch.optim.Adam(net.parameters(), 2e-3)
for _ in range(300):
    drawn = patterns[torch.randint(0, 6, (32,))]
    seen = torch.where(torch.rand(32, 64) < 0.1, 1 - drawn, drawn)
    loss = nn.functional.binary_cross_entropy_with_logits(net(seen), 255 * drawn)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
