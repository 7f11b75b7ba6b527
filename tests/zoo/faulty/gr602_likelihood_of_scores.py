# expect: {"code": "GR602", "severity": "warning", "module": "net.fc"}
"""NLLLoss is given the raw outputs of a GRU's head: its loss falls below 0 without end."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(5, 24, batch_first=True)
        self.fc = nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.gru(x)[0][:, -1])


net = Reader()
optimizer = torch.optim.Adam(net.parameters(), 2e-3)
criterion = nn.NLLLoss()
for _ in range(200):
    x = torch.randn(32, 10, 5)
    loss = criterion(net(x), x.sum(1)[:, :3].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
