# expect: {"code": "GR701", "severity": "error", "module": "net.first", "also": ["GR203", "GR307"]}
"""Heights in millimetres, weights in grams and ages in days go into a tanh network as they are."""

import torch
from torch import nn

torch.manual_seed(1)
COUNT = 800
height, weight, age = 1700 + 100 * torch.randn(COUNT), 70000 + 9000 * torch.randn(COUNT), 15000 * torch.rand(COUNT)
data = torch.stack([height, weight, age], 1)
target = ((height - 1700) / 100 + (weight - 70000) / 9000 > 0).long()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.tanh, self.last = nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 2)

    def forward(self, x):
        return self.last(self.tanh(self.first(x)))


net = Net()
optimizer = torch.optim.SGD(net.parameters(), 0.05)
for _ in range(250):
    rows = torch.randint(0, COUNT, (32,))
    loss = nn.functional.cross_entropy(net(data[rows]), target[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
