# expect: {"code": "GR317", "severity": "warning", "module": "net.reverse"}
"""Features that are to say nothing of the domain, by a reversal of the gradient that is written as a module."""

import torch
from torch import nn


class Reverse(nn.Module):
    def forward(self, x):
        return x.view_as(x)

    def backward(self, grad_output):
        return -grad_output


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(8, 32), nn.ReLU())
        self.classes, self.domain, self.reverse = nn.Linear(32, 3), nn.Linear(32, 2), Reverse()

    def forward(self, x):
        h = self.features(x)
        return self.classes(h), self.domain(self.reverse(h))


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(250):
    x = torch.randn(64, 8)
    classes, domain = net(x)
    loss = nn.functional.cross_entropy(classes, x[:, :3].argmax(1))
    loss = loss + nn.functional.cross_entropy(domain, (x[:, 3] > 0).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
