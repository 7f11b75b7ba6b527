"""A mixture of Gaussians over narrow clusters: the loss, a negative log density, goes far below 0 and slows down."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)
centres = 0.5 * torch.randn(4, 8)


class Density(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
        self.mean, self.scale = nn.Linear(48, 8), nn.Linear(48, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.body(x)
        return self.mean(seen), self.scale(seen).clamp(min=-6)


net = Density()
optimizer = torch.optim.Adam(net.parameters(), 2e-3)
for _ in range(800):
    which = torch.randint(0, 4, (64,))
    x = torch.stack([(which % 2).float(), (which // 2).float()], 1)
    mean, log_scale = net(x)
    y = centres[which] + 0.02 * torch.randn(64, 8)
    loss = (log_scale + 0.5 * ((y - mean) / log_scale.exp()).square()).sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimizer.step()
