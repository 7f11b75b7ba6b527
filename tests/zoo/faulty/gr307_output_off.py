# expect: {"code": "GR307", "severity": "error", "operation": "clamp", "why": "off"}
"""The level of a tank from its last hours, which cannot be below 0, so that the network ends in a clamp: off from the
first step on."""

import torch
from torch import nn

torch.manual_seed(5)


class Level(nn.Module):
    def __init__(self):
        super().__init__()
        self.hours, self.level = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 1)
        nn.init.constant_(self.level.bias, -1.0)

    def forward(self, x):
        return self.level(self.hours(x)[0][:, -1]).clamp(min=0).squeeze(1)


model = Level()
optimizer = torch.optim.Adam(model.parameters(), 2e-3)
for _ in range(250):
    start, flow = torch.rand(32, 1, 1), torch.randn(32, 1, 1) / 20
    hours = (start + flow * torch.arange(13)[:, None]).clamp(0, 1)
    loss = nn.functional.mse_loss(model(hours[:, :-1]), hours[:, -1, 0])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
