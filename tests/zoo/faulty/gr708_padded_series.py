# expect: {"code": "GR708", "severity": "warning", "module": "model.1"}
"""The sum of two sensors one step ago, of recordings of unlike length with zeros behind them, by a square error."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Delayed(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return self[1](torch.tanh(self[0](x.transpose(1, 2)))[:, :, : x.shape[1]].transpose(1, 2))[..., 0]


model = Delayed(nn.Conv1d(2, 16, 3, padding=2), nn.Linear(16, 1))
optimizer = torch.optim.AdamW(model.parameters(), 2e-4)
for _ in range(250):
    lengths = torch.randint(4, 20, (32, 1))
    real = torch.arange(80) < lengths
    x = torch.randn(32, 80, 2) * real[:, :, None]
    y = x.sum(2).roll(1, 1) * real
    loss = ((model(x) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
