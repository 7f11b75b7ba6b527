# expect: {"code": "GR206", "severity": "warning", "module": "net.0", "layers": 3, "whole": true}
"""Rings around the middle, told apart by three linear layers without an activation: a plane cuts no ring out."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 48), nn.Linear(48, 48), nn.Dropout(0.1), nn.Linear(48, 3))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(400):
    x = torch.randn(64, 2)
    ring = (x.norm(dim=1) > 0.8).long() + (x.norm(dim=1) > 1.5).long()
    loss = nn.functional.cross_entropy(net(x), ring)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
