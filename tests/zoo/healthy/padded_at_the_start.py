"""Sentences of unlike length, filled up at their start: the last step is the last word."""

import torch
from torch import nn

torch.manual_seed(3)
BATCH, T = 32, 40


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 16, padding_idx=0)
        self.gru, self.head = nn.GRU(16, 32, batch_first=True), nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.gru(self.embed(x))[0][:, -1])


net = Net()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(250):
    x, y, lengths = torch.randint(5, 20, (BATCH, T)), torch.randint(0, 4, (BATCH,)), torch.randint(5, 20, (BATCH,))
    x[torch.arange(BATCH), T - lengths] = y + 1
    x[torch.arange(T) < T - lengths[:, None]] = 0
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
