"""One sequence a step, (time, sensors, features): each step of it has a label, told from all sensors together."""

import torch
from torch import nn

torch.manual_seed(1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(2, 32), nn.Linear(32, 3)

    def forward(self, x):
        return self.head(self.gru(x)[0].mean(1))


net = Net()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(250):
    x = 0.3 * torch.randn(40, 5, 2).cumsum(0)
    y = (x.mean(1) > 0).sum(1)
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
