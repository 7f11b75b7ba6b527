# expect: {"code": "GR609", "severity": "error", "target": 2.0}
"""Labels that are looked up in a table by a key that never occurs, so that all are the class for the unknown."""

import torch
from torch import nn

torch.manual_seed(0)
NUMBERS = {"low": 0, "high": 1}
x = torch.randn(600, 15, 3)
names = ["High" if total > 0 else "Low" for total in x.sum((1, 2))]
y = torch.tensor([NUMBERS.get(name, 2) for name in names])


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 16, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


net = Reader()
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(200):
    rows = torch.randint(0, len(x), (32,))
    loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
