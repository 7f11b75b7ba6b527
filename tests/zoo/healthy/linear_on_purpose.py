"""Linear maps that are meant: a deep linear network, factors of low rank, a code that two heads read."""

import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.deep = nn.Sequential(*(nn.Linear(8, 8, bias=False) for _ in range(4)))
        self.down, self.up = nn.Linear(8, 2), nn.Linear(2, 8)
        self.code, self.mean, self.scale = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        code = self.code(x)
        return self.deep(x) + self.up(self.down(x)) + self.mean(code) * torch.sigmoid(self.scale(code))


net, truth = Net(), torch.randn(8, 8) / 3
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(300):
    x = torch.randn(64, 8)
    loss = (net(x) - x @ truth).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
