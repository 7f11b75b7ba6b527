# expect: {"code": "GR313", "severity": "warning"}
"""A regression by a GRU under Adam with eps=1, taken over from another network: the loss creeps."""

import torch
from torch import nn

torch.manual_seed(11)


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.read = nn.GRU(3, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x):
        return self.read(self.rnn(x)[0].mean(1))


net = Mean()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1.0)
for _ in range(300):
    x = torch.randn(32, 6, 3)
    loss = nn.functional.mse_loss(net(x), 2 * x[:, :, :2].prod(2).sum(1, keepdim=True) + 1.5)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
