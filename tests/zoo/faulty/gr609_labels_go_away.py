# expect: {"code": "GR609", "severity": "error", "module": "net.2", "target": 0.0}
"""Loud windows of a signal, whose data set takes the mean off the very rows that it keeps, again at each pass."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)


class Windows(Dataset):
    def __init__(self):
        self.x = torch.randn(480, 12)
        self.levels = (self.x[:, 3:6].sum(1, keepdim=True) + 2 * torch.rand(480, 8)).clamp(min=0)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, at):
        levels = self.levels[at]
        levels -= 1.5
        return self.x[at], (levels > 0).float()


net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 8))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
loader = DataLoader(Windows(), batch_size=32, shuffle=True)
for _ in range(16):
    for x, y in loader:
        loss = nn.functional.binary_cross_entropy_with_logits(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
