# expect: {"code": "GR705", "severity": "error", "module": "net.rnn", "also": ["GR101", "GR402"]}
"""Sentences of 5 to 19 words, filled up with 0 to 60: the state that is read has run over 48 zeros in the median."""

import torch
from torch import nn

torch.manual_seed(3)
BATCH, T = 32, 60


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 16, padding_idx=0)
        self.rnn, self.head = nn.RNN(16, 32, batch_first=True), nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.rnn(self.embed(x))[0][:, -1])


net = Net()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(250):
    x, y = torch.randint(5, 20, (BATCH, T)), torch.randint(0, 4, (BATCH,))
    x[:, 0] = y + 1
    x[torch.arange(T) >= torch.randint(5, 20, (BATCH, 1))] = 0
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
