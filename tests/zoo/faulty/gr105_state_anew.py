# expect: {"code": "GR105", "severity": "warning", "module": "model.gru", "T": 1}
"""Waves that a GRU follows one step at a time, each time from a state of zeros."""

import torch
from torch import nn

torch.manual_seed(0)
time = torch.arange(500)
pace, start = 0.1 + 0.3 * torch.rand(12, 1), 6.28 * torch.rand(12, 1)
waves = torch.sin(pace * time + start)[..., None]


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.read = nn.GRU(1, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out, _ = self.gru(x)
        return self.read(out)


model = Model()
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
for at in range(499):
    loss = nn.functional.mse_loss(model(waves[:, at : at + 1]), waves[:, at + 1 : at + 2])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
