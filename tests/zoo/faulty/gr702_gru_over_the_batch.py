# expect: {"code": "GR702", "severity": "error", "module": "net.gru", "along": "steps"}
"""Which of two markers came first? A GRU that expects (time, batch, features) is given (batch, time, features)."""

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
        self.gru, self.head = nn.GRU(6, 32), nn.Linear(32, 2)

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1])


net = Net()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(250):
    x, y = markers()
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
