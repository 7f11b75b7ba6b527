# expect: {"code": "GR703", "severity": "warning", "module": "net"}
"""The hardest pairs of noisy views draw all embeddings to one point: the loss rests at its margin."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 8))
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(900):
    one, other = torch.randn(2, 64, 16)
    anchor, positive = net(one), net(other)
    near = (anchor - positive).norm(dim=1)
    apart = torch.cdist(anchor, anchor) + 1e3 * torch.eye(64)
    loss = (near.amax() - apart.amin(1) + 0.5).clamp(min=0).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
