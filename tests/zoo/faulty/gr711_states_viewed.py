# expect: {"code": "GR711", "severity": "error", "module": "net.gru", "own": 0, "read": 2}
"""The last states of both directions, (2, batch, hidden), are joined by a view: a row gets those of two other rows."""

import torch
from torch import nn

torch.manual_seed(4)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(3, 24, batch_first=True, bidirectional=True), nn.Linear(48, 3)

    def forward(self, x):
        _, last = self.gru(x)
        return self.head(last.view(len(x), -1))


net = Net()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(250):
    y = torch.randint(0, 3, (32,))
    x = 0.3 * torch.randn(32, 12, 3) + nn.functional.one_hot(y, 3)[:, None]
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
