# expect: {"code": "GR701", "severity": "warning", "module": "net.lstm", "has": ["largest_row"]}
"""A forecast of sales, each shop's divided by the mean of its past days: new shops have none, and 1e-8 in its place."""

import torch
from torch import nn

PAST, AHEAD = 14, 3


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(2, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, sales, day):
        return self.head(self.lstm(torch.stack([sales, day], 2))[0])[..., 0]


torch.manual_seed(0)
net = Forecaster()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(250):
    day = torch.rand(40, 1) + torch.arange(PAST + AHEAD + 1)
    sales = 30 * torch.rand(40, 1) * (1.5 + torch.sin(day)) + 0.1 * torch.rand(40, PAST + AHEAD + 1)
    open_for = torch.where(torch.rand(40, 1) < 0.2, 0, PAST)
    sales[:, :PAST] *= torch.arange(PAST).expand(40, -1) >= PAST - open_for
    scale = sales[:, :PAST].mean(1, keepdim=True).clamp(min=1e-8)
    forecast = scale * net(sales[:, :-1] / scale, torch.sin(day[:, 1:]))
    loss = nn.functional.l1_loss(forecast[:, -AHEAD:], sales[:, -AHEAD:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
