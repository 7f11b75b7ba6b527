"""Two passes an update: the weights go uphill, the gradient is taken there, and they come back before the step."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.SGD(net.parameters(), 0.2)
for _ in range(200):
    x = torch.randn(64, 8)
    y = x[:, :3].argmax(1)
    nn.functional.cross_entropy(net(x), y).backward()
    with torch.no_grad():
        size = torch.stack([p.grad.norm() for p in net.parameters()]).norm()
        uphill = [0.05 * p.grad / size for p in net.parameters()]
        for p, way in zip(net.parameters(), uphill, strict=True):
            p.add_(way)
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    with torch.no_grad():
        for p, way in zip(net.parameters(), uphill, strict=True):
            p.sub_(way)
    optimizer.step()
    optimizer.zero_grad()
