"""Three heads on one trunk, of which each step uses one; tables of which a batch asks for few rows; padding."""

import torch
from torch import nn

torch.manual_seed(0)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(500, 16, padding_idx=0)
        self.kinds = nn.Embedding(2, 16, padding_idx=0)
        self.trunk = nn.GRU(16, 24, batch_first=True)
        self.heads = nn.ModuleList(nn.Linear(24, 2) for _ in range(3))

    def forward(self, ids, task):
        x = self.table(ids) + self.kinds(torch.zeros_like(ids))
        return self.heads[task](self.trunk(x)[1][0])


net = Shared()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(250):
    ids = torch.randint(1, 500, (32, 9))
    task = int(torch.randint(0, 3, ()))
    loss = nn.functional.cross_entropy(net(ids, task), (ids[:, -1] % 2 == task % 2).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
