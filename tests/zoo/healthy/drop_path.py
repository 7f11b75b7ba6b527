"""Blocks of a residual network are left out at random, half of the time each, by a factor of 0."""

import torch
from torch import nn

torch.manual_seed(0)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

    def forward(self, x):
        return x + self.body(x) * float(torch.rand(()) < 0.5) * 2.0


net = nn.Sequential(nn.Linear(8, 16), *(Block() for _ in range(5)), nn.Linear(16, 4))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
for _ in range(250):
    x = torch.randn(32, 8)
    loss = nn.functional.cross_entropy(net(x), x[:, :4].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
