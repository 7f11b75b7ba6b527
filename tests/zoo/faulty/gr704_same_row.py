# expect: {"code": "GR704", "severity": "error", "rows": 32}
"""A data set that returns its first example whatever the index."""

import torch
from torch import nn

torch.manual_seed(3)
data, target = torch.randn(600, 10), torch.randint(0, 4, (600,))


def example(index):
    return data[0], target[index]


net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(net.parameters(), 0.05)
for _ in range(250):
    rows = [example(index) for index in torch.randint(0, 600, (32,))]
    x, y = torch.stack([row[0] for row in rows]), torch.stack([row[1] for row in rows])
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
