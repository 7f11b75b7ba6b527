# expect: {"code": "GR207", "severity": "error", "module": "net.norm", "operation": "group norm"}
"""A classifier whose group norm, as many groups as channels, stands behind the pooling: each group holds one value."""

import torch
from torch import nn

torch.manual_seed(1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.filters, self.norm, self.head = nn.Conv1d(2, 24, 5), nn.GroupNorm(24, 24), nn.Linear(24, 3)

    def forward(self, waves):
        pooled = self.filters(waves).relu().amax(2)
        return self.head(self.norm(pooled))


net = Net()
optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
shapes = torch.randn(3, 2, 20)
for _ in range(300):
    kinds = torch.randint(0, 3, (32,))
    loss = nn.functional.cross_entropy(net(shapes[kinds] + 0.5 * torch.randn(32, 2, 20)), kinds)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
