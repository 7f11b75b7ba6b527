# expect: {}
"""Two tasks whose losses differ by a factor of 40, a penalty on the weights and a constant: all of them are learned."""

import math

import torch
from torch import nn

torch.manual_seed(0)


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 64), nn.Tanh())
        self.size = nn.Linear(64, 1)
        self.kind = nn.Linear(64, 3)

    def forward(self, x):
        h = self.trunk(x)
        return self.size(h), self.kind(h)


net = Both()
optimizer = torch.optim.Adam(net.parameters(), 4e-3)
for _ in range(400):
    x = torch.randn(64, 8)
    size, kind = net(x)
    likelihood = 20 * nn.functional.mse_loss(size, 2 * x[:, :1] + x[:, 1:2]) + 0.5 * math.log(2 * math.pi)
    classes = nn.functional.cross_entropy(kind, x[:, 2:5].argmax(1))
    penalty = sum(weight.square().sum() for weight in net.parameters())
    loss = likelihood + classes + 1e-4 * penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
