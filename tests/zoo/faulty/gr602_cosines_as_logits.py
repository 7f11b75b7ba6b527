# expect: {"code": "GR602", "severity": "warning", "module": "net"}
"""Cosines to forty prototypes go into cross entropy as they are: no logit lies more than 2 over another."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

torch.manual_seed(0)


class Prototypes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 32))
        self.each = nn.Parameter(torch.randn(40, 32))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.net(x), dim=1) @ F.normalize(self.each, dim=1).T


net = Prototypes()
centres = torch.randn(40, 16)
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(400):
    kind = torch.randint(0, 40, (64,))
    loss = F.cross_entropy(net(centres[kind] + 0.2 * torch.randn(64, 16)), kind)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
