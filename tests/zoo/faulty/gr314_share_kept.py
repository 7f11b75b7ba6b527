# expect: {"code": "GR314", "severity": "warning"}
"""A regression whose dropouts were given the share that is to be kept, 0.9: next to nothing of the input is learned."""

import torch
from torch import nn

torch.manual_seed(14)


class Net(nn.Module):
    def __init__(self, keep):
        super().__init__()
        self.first, self.second, self.read = nn.Linear(12, 64), nn.Linear(64, 64), nn.Linear(64, 1)
        self.drop = nn.Dropout(keep)

    def forward(self, x):
        x = self.drop(torch.tanh(self.first(x)))
        return self.read(self.drop(torch.tanh(self.second(x))))


net = Net(0.9)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for _ in range(400):
    x = torch.randn(32, 12)
    loss = nn.functional.mse_loss(net(x), x[:, :1] * x[:, 1:2] + torch.sin(2 * x[:, 2:3]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
