"""Images of whole numbers from 0 to 255, as they are, into a convolution: out of scale, and learned all the same."""

import torch
from torch import nn

torch.manual_seed(1)
kinds = 255 * torch.rand(4, 1, 12, 12)
net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(800, 4))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
for _ in range(250):
    y = torch.randint(0, 4, (32,))
    x = (kinds[y] + 40 * torch.randn(32, 1, 12, 12)).clamp(0, 255).round()
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
