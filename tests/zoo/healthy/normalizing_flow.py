"""Affine couplings fit two moons by likelihood: the loss goes below 0, and 0 means nothing."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Coupling(nn.Module):
    def __init__(self, flips: bool) -> None:
        super().__init__()
        self.flips = flips
        self.net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        one, two = x.flip(1).chunk(2, 1) if self.flips else x.chunk(2, 1)
        scale, shift = self.net(one).chunk(2, 1)
        scale = torch.tanh(scale)
        return torch.cat([one, two * scale.exp() + shift], 1), scale.sum(1)


layers = nn.ModuleList(Coupling(bool(i % 2)) for i in range(6))
optimizer = torch.optim.Adam(layers.parameters(), 2e-3)
for _ in range(300):
    angle = 3.14159 * torch.rand(128)
    x = 0.2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.01 * torch.randn(128, 2)
    volume = torch.zeros(128)
    for layer in layers:
        x, grown = layer(x)
        volume = volume + grown
    loss = (0.5 * x.square().sum(1) - volume).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
