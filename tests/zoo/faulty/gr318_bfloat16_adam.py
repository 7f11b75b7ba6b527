# expect: {"code": "GR318", "severity": "warning"}
"""A sum over the last inputs by a GRU whose weights are bfloat16, Adam at a rate that suits float32."""

import torch
from torch import nn

torch.manual_seed(22)


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.read = nn.GRU(3, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x):
        return self.read(self.rnn(x)[0][:, -1])


net = Sum().to(torch.bfloat16)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
for _ in range(500):
    x = torch.randn(64, 8, 3)
    loss = nn.functional.mse_loss(net(x.bfloat16()).float(), x[:, -3:, 0].sum(1, keepdim=True))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
