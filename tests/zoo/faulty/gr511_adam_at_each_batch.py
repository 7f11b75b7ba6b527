# expect: {"code": "GR511", "severity": "warning"}
"""A regression whose function for one batch makes its Adam itself."""

import torch
from torch import Tensor, nn


def learn_from(net: nn.Module, x: Tensor, y: Tensor) -> None:
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    loss = nn.functional.mse_loss(net(x)[:, 0], y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 1))
for _ in range(300):
    x = torch.randn(64, 6)
    learn_from(net, x, torch.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.5 * torch.randn(64))
