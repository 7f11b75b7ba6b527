# expect: {}
"""A classifier that was trained to be sure goes on with other labels: its loss begins far above log C."""

import torch
from torch import nn

torch.manual_seed(8)
groups = torch.randn(12, 20)
net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 12))
features = groups.repeat(4, 1) + 0.3 * torch.randn(48, 20)
with torch.no_grad():  # the last layer by least squares, as sure as training makes it
    hidden = torch.cat([net[:-1](features), torch.ones(48, 1)], 1)
    wanted = 12 * torch.eye(12).repeat(4, 1)
    fitted = torch.linalg.lstsq(hidden.t() @ hidden + 1e-3 * torch.eye(65), hidden.t() @ wanted).solution
    net[-1].weight.copy_(fitted[:-1].t())
    net[-1].bias.copy_(fitted[-1])
optimizer = torch.optim.SGD(net.parameters(), lr=0.0005)
for _ in range(600):
    labels = torch.randint(12, (48,))
    loss = nn.functional.cross_entropy(net(groups[labels] + 0.3 * torch.randn(48, 20)), (labels + 5) % 12)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
