"""Two views of each sample are to find each other among the batch: a square of similarities, with a temperature."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 16))
optimizer = torch.optim.AdamW(net.parameters(), 2e-3)
for _ in range(250):
    x = torch.randn(48, 12)
    one, other = (F.normalize(net(x + 0.3 * torch.randn_like(x)), dim=1) for _ in range(2))
    loss = F.cross_entropy(one @ other.T / 0.1, torch.arange(48))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
