"""Sequences grow longer as training goes on, and the loss steps up with each new length."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.read = nn.GRU(1, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.rnn(x)[0][:, -1])


net = Sum()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for step in range(400):
    length = 3 + step // 100
    x = torch.rand(64, length, 1) - 0.5
    loss = nn.functional.mse_loss(net(x), x.sum(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
