# expect: {"code": "GR706", "axis": 0, "module": "net"}
"""A classifier whose log_softmax runs over the batch in place of the classes."""

import torch
from torch import nn

torch.manual_seed(3)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 5))

    def forward(self, x):
        return torch.log_softmax(self.body(x), dim=0)


net = Net()
optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
pictures = torch.randn(5, 1, 8, 8)
for _ in range(300):
    y = torch.randint(0, 5, (40,))
    x = pictures[y] + 1.5 * torch.randn(40, 1, 8, 8)
    loss = nn.functional.nll_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
