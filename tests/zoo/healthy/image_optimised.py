"""An input is optimised for a network that stays as it is, and whose weights ask for gradients that nobody uses."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 8 * 8, 4))
image = torch.randn(1, 1, 12, 12).requires_grad_()
optimizer = torch.optim.Adam([image], 0.05)
for _ in range(200):
    loss = nn.functional.cross_entropy(net(image), torch.tensor([2])) + 0.01 * image.square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
