"""A forecast, (time, batch, features), whose loss is averaged over the batch first, and weighted step by step then."""

import torch
from torch import nn

torch.manual_seed(1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(2, 32), nn.Linear(32, 2)

    def forward(self, x):
        return self.head(self.gru(x)[0])


net, weights = Net(), torch.linspace(0.2, 1.0, 20)
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(250):
    x = 0.3 * torch.randn(21, 12, 2).cumsum(0)
    loss = (weights * (net(x[:-1]) - x[1:]).square().mean((1, 2))).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
