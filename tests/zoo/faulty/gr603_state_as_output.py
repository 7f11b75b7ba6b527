# expect: {"code": "GR603", "severity": "error", "module": "net.rnn"}
"""The state of a GRU is itself the forecast of a series that goes far beyond 1."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Forecast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(1, 1, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0][:, -1]


net = Forecast()
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(250):
    phase = 6 * torch.rand(32, 1)
    wave = 3 * torch.sin(phase + 0.3 * torch.arange(13.0))
    loss = (net(wave[:, :12, None]) - wave[:, 12:]).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
