# expect: {"code": "GR310", "severity": "warning"}
"""A schedule that was meant for epochs is stepped after each batch: after a few dozen the rate is gone."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.1)
for _ in range(400):
    x = torch.randn(32, 10)
    loss = nn.functional.cross_entropy(net(x), x[:, :4].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
