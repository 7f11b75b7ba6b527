# expect: {}
"""A GRU whose weights are bfloat16, Adam at a rate that moves them: a good part of each step is lost, and it learns."""

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
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
for _ in range(400):
    x = torch.randn(64, 8, 3)
    loss = nn.functional.mse_loss(net(x.bfloat16()).float(), x[:, -3:, 0].sum(1, keepdim=True))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
