# expect: {"code": "GR702", "severity": "error", "module": "net.gru", "scrambled": true, "also": ["GR402", "GR101"]}
"""A view exchanges batch and time before a GRU: each of its sequences is made of pieces of several rows."""

import torch
from torch import nn

torch.manual_seed(3)
BATCH, T = 48, 20


def markers():
    x, y, rows = 0.2 * torch.randn(BATCH, T, 6), torch.randint(0, 2, (BATCH,)), torch.arange(BATCH)
    x[rows, torch.randint(0, 6, (BATCH,)), y] += 2.0
    x[rows, torch.randint(9, 15, (BATCH,)), 1 - y] += 2.0
    return x, y


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.gru, self.head = nn.Linear(6, 16), nn.GRU(16, 32), nn.Linear(32, 2)

    def forward(self, x):
        inner = torch.tanh(self.inner(x)).view(T, BATCH, 16)
        return self.head(self.gru(inner)[0][-1])


net = Net()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(250):
    x, y = markers()
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
