"""Parts of two patches that are kept sparse and used: by an absolute penalty, and by one on the square of gates."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class Parts(nn.Module):
    def __init__(self):
        super().__init__()
        self.find = nn.Sequential(nn.Linear(32, 48), nn.ReLU())
        self.gate = nn.Linear(32, 48)
        self.draw = nn.Linear(48, 32)

    def forward(self, x):
        parts, gates = self.find(x), self.gate(x).sigmoid()
        return self.draw(parts * gates), parts, gates


parts = Parts()
optimizer = torch.optim.Adam(parts.parameters(), 2e-3)
strokes = torch.randn(12, 32)
for _ in range(300):
    x = (torch.rand(64, 12) < 0.2).float() @ strokes
    drawn, found, gates = parts(x)
    loss = F.mse_loss(drawn, x) + 1e-3 * found.abs().mean() + 1e-3 * gates.square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
