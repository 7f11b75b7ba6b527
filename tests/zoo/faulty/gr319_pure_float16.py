# expect: {"code": "GR319", "severity": "error"}
"""A GRU whose weights are float16 reads a small deflection off a series, Rprop: its gradients are all 0."""

import torch
from torch import nn

torch.manual_seed(26)


class Deflection(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.read = nn.GRU(2, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x):
        return self.read(self.rnn(x)[0][:, -1]) / 1000


net = Deflection().half()
optimizer = torch.optim.Rprop(net.parameters(), lr=1e-3, step_sizes=(1e-4, 1e-2))
for _ in range(300):
    x = torch.randn(256, 8, 2)
    loss = nn.functional.mse_loss(net(x.half()).float(), 1e-3 * x[:, -2:, 0].sum(1, keepdim=True).tanh())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
