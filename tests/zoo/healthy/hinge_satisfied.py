"""Two classes far apart under a hinge loss: after some steps every margin is kept, and the loss is exactly 0."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(250):
    side = torch.randint(0, 2, (32, 1)) * 2.0 - 1.0
    x = 2.0 * side + 0.3 * torch.randn(32, 4)
    loss = torch.relu(1.0 - side * net(x)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
