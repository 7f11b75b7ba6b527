"""Low-rank adapters beside frozen layers: B starts at 0, so that A's gradient is 0 in the first step."""

import torch
from torch import nn

torch.manual_seed(0)


class Adapted(nn.Module):
    def __init__(self, inner) -> None:
        super().__init__()
        self.inner = inner.requires_grad_(False)
        self.A = nn.Parameter(0.1 * torch.randn(4, inner.in_features))
        self.B = nn.Parameter(torch.zeros(inner.out_features, 4))

    def forward(self, x):
        return self.inner(x) + x @ self.A.T @ self.B.T


net = nn.Sequential(
    Adapted(nn.Linear(12, 48)), nn.GELU(), Adapted(nn.Linear(48, 48)), nn.GELU(), Adapted(nn.Linear(48, 3))
)
optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 3e-3)
for _ in range(250):
    x = torch.randn(64, 12)
    loss = nn.functional.cross_entropy(net(x), x[:, :3].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
