# expect: {"code": "GR103", "module": "net.keep", "also": ["GR701", "GR101", "GR203", "GR604"]}
"""The mean of a sensor's readings, some hundreds in size, by a tanh recurrence written out in the model's forward."""

import torch
from torch import nn

torch.manual_seed(3)
T, BATCH, UNITS, STEPS = 25, 32, 24, 250


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter, self.keep = nn.Linear(2, UNITS), nn.Linear(UNITS, UNITS)
        self.head = nn.Linear(UNITS, 1)

    def forward(self, readings):
        h = readings.new_zeros(readings.shape[0], UNITS)
        for x in readings.unbind(1):
            h = torch.tanh(self.enter(x) + self.keep(h))
        return self.head(h).squeeze(-1)


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for _ in range(STEPS):
    readings = 300 + 80 * torch.randn(BATCH, T, 2)
    target = (readings.mean((1, 2)) - 300) / 80
    loss = (net(readings) - target).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
