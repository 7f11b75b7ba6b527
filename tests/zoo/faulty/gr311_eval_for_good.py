# expect: {"code": "GR311", "severity": "warning", "module": "net", "has": ["first_step", "last_step"]}
"""A validation puts the model into evaluation mode after the first epoch, and nothing brings it back."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(10, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 1))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
weights = torch.randn(10, 1)
data = torch.randn(640, 10)
targets = torch.tanh(data @ weights)
for _ in range(15):
    for x, y in zip(data.split(32), targets.split(32), strict=True):
        loss = nn.functional.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        valid = torch.randn(64, 10)
        nn.functional.mse_loss(net(valid), torch.tanh(valid @ weights))
