# expect: {"code": "GR616", "severity": "warning", "module": "net.details.2"}
"""Two shares of a mixture from its spectrum: the sparse features of a second branch are kept small, and never used."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(40, 64), nn.ReLU())
        self.details = nn.Sequential(nn.Linear(40, 64), nn.Tanh(), nn.Linear(64, 32))
        self.shares = nn.Linear(64, 2)

    def forward(self, spectrum):
        seen, details = self.trunk(spectrum), self.details(spectrum)
        return self.shares(seen), details


net = Net()
optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
peaks = torch.randn(2, 40)
for _ in range(300):
    shares = torch.rand(64, 2)
    spectrum = shares @ peaks + 0.1 * torch.randn(64, 40)
    told, details = net(spectrum)
    loss = F.mse_loss(told, shares) + 1e-2 * details.abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
