# expect: {"code": "GR503"}
"""A running mean of features that is kept with the graph of every batch so far."""

import torch
from torch import Tensor, nn


class Centred(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)
        self.mean = torch.zeros(6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        self.mean = 0.9 * self.mean + 0.1 * y.mean(0)
        return y - self.mean


torch.manual_seed(0)
model = Centred()
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(120):
    x = torch.randn(32, 6)
    loss = nn.functional.mse_loss(model(x), 2 * x.flip(1))
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    optimizer.step()
