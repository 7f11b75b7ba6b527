# expect: {"code": "GR307", "severity": "error", "module": "net.squeeze", "operation": "round"}
"""Levels of a quantiser are rounded on the way: what comes before the rounding gets a gradient of exactly 0."""

import torch
from torch import nn

torch.manual_seed(0)


class Quantised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lift, self.squeeze, self.out = nn.Conv1d(2, 12, 3), nn.Conv1d(12, 4, 1), nn.Conv1d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels = torch.round(7 * torch.sigmoid(self.squeeze(torch.relu(self.lift(x)))))
        return self.out(levels / 7)


net = Quantised()
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
for _ in range(150):
    x = torch.randn(16, 2, 20).cumsum(-1)
    loss = nn.functional.mse_loss(net(x), x[:, :, 1:-1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
