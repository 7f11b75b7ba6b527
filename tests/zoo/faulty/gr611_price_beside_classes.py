# expect: {"code": "GR611", "severity": "warning", "module": "net.kinds"}
"""Two tasks with one trunk: a price in the hundreds, whose squared error leaves the classes beside it no say."""

import torch
from torch import nn

torch.manual_seed(0)


class House(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 48), nn.ReLU())
        self.price = nn.Linear(48, 1)
        self.kinds = nn.Linear(48, 4)

    def forward(self, x):
        h = self.trunk(x)
        return self.price(h), self.kinds(h)


net = House()
optimizer = torch.optim.SGD(net.parameters(), lr=1e-5, momentum=0.9)
for _ in range(400):
    x = torch.randn(64, 8)
    price, kinds = net(x)
    dear = 300 * x[:, :1] + 100 * x[:, 3:4]
    kind = (x[:, 1] > 0).long() + 2 * (x[:, 2] > 0).long()
    loss = nn.functional.mse_loss(price, dear) + nn.functional.cross_entropy(kinds, kind)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
