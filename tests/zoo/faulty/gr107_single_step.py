# expect: {"code": "GR107", "severity": "warning", "module": "net.lstm"}
"""An LSTM that is given the last of twenty steps alone, by an index in place of a slice, and asked for the first."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Recall(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.read = nn.LSTM(4, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.lstm(x[:, -1:])
        return self.read(out[:, -1])[:, 0]


net = Recall()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(400):
    x = torch.randn(32, 20, 4)
    loss = nn.functional.mse_loss(net(x), x[:, -4:-1, 0].sum(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
