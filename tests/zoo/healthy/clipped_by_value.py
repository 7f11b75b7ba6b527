# expect: {}
"""A regression by an RNN under RMSprop, whose gradient is clipped by value at 0.05: that acts on the largest alone."""

import torch
from torch import nn

torch.manual_seed(8)


class Summing(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.read = nn.GRU(2, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x):
        return self.read(self.rnn(x)[0][:, -1])


net = Summing()
optimizer = torch.optim.RMSprop(net.parameters(), lr=3e-3)
for _ in range(300):
    x = torch.randn(32, 6, 2)
    loss = nn.functional.mse_loss(net(x), x.sum((1, 2))[:, None] / 2)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(net.parameters(), 0.05)
    optimizer.step()
