# expect: {"code": "GR614", "severity": "warning", "module": "forecaster"}
"""The next hours of three meters, from a network whose layer norm takes the level away from each forecast."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.read = nn.Linear(24, 64)
        self.hidden = nn.Linear(64, 64)
        self.hours = nn.Linear(64, 6)

    def forward(self, past):
        x = F.relu(F.layer_norm(self.read(past), (64,)))
        x = F.relu(F.layer_norm(self.hidden(x), (64,)))
        return F.layer_norm(self.hours(x), (6,))


forecaster = Forecaster()
optimizer = torch.optim.SGD(forecaster.parameters(), 0.02, momentum=0.9)
for _ in range(400):
    hours = torch.arange(30) + 24 * torch.rand(48, 1)
    level = 4.0 + torch.randn(48, 1)
    series = level + torch.sin(hours * 6.28 / 24) + 0.1 * torch.randn(48, 30)
    loss = F.mse_loss(forecaster(series[:, :24]), series[:, 24:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
