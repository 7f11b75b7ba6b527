# expect: {"code": "GR506", "severity": "warning", "module": "net"}
"""The layer in the middle is made inside of forward(): new random weights at every call."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(8, 32), nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        middle = nn.Linear(32, 32)(torch.relu(self.one(x)))
        return self.two(torch.relu(middle))


net = Net()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(300):
    x = torch.randn(64, 8)
    loss = nn.functional.cross_entropy(net(x), x[:, :4].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
