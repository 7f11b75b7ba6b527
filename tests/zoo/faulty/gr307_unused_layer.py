# expect: {"code": "GR307", "severity": "warning", "module": "net.rnn", "why": "unused"}
"""The state of the lower layer is read where the upper one was meant: the upper layer runs for nothing."""

import torch
from torch import nn

torch.manual_seed(0)


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.out = nn.GRU(4, 16, num_layers=2, batch_first=True), nn.Linear(16, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, h = self.rnn(x)
        return self.out(h[0])


net = Reader()
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(150):
    x = torch.randn(32, 12, 4)
    loss = nn.functional.cross_entropy(net(x), (x[:, -1, 0] > 0).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
