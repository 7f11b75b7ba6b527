# expect: {"code": "GR505", "module": "net.experts['near']", "kind": "Sequential", "parameters": 8}
"""Two branches stand in a dict of Python: the optimizer has the gate between them, and nothing else."""

import torch
from torch import Tensor, nn


def branch() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 24), nn.Tanh(), nn.Linear(24, 1))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(8, 1)
        self.experts = {"near": branch(), "far": branch()}

    def forward(self, x: Tensor) -> Tensor:
        share = torch.sigmoid(self.gate(x))
        return (share * self.experts["near"](x) + (1 - share) * self.experts["far"](x))[:, 0]


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(150):
    x = torch.randn(64, 8)
    loss = nn.functional.mse_loss(net(x), x[:, 0] * (x[:, 1] > 0))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
