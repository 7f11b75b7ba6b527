# expect: {"code": "GR315", "severity": "warning", "module": "model.positions", "also": ["GR403", "GR604"]}
"""Which of two symbols came first, by attention without positions: what adds them is called for nothing."""

import torch
from torch import nn

torch.manual_seed(0)
SYMBOLS, LENGTH, WIDTH = 8, 12, 32


class Positions(nn.Module):
    def __init__(self):
        super().__init__()
        angles = torch.arange(LENGTH)[:, None] / 100 ** torch.linspace(0, 1, WIDTH // 2)
        self.register_buffer("waves", torch.cat((angles.sin(), angles.cos()), 1))

    def forward(self, x):
        return x + self.waves[: x.shape[1]]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols, self.positions = nn.Embedding(SYMBOLS, WIDTH), Positions()
        self.layer = nn.TransformerEncoderLayer(WIDTH, 4, 64, dropout=0.0, batch_first=True)
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, x):
        x = self.symbols(x)
        self.positions(x)
        return self.head(self.layer(x).mean(1))


model = Model()
optimizer = torch.optim.Adam(model.parameters(), 2e-3)
for _ in range(250):
    x = torch.randint(2, SYMBOLS, (32, LENGTH))
    places = torch.rand(32, LENGTH).argsort(1)[:, :2]
    x.scatter_(1, places, torch.tensor([[0, 1]]).expand(32, 2))
    loss = nn.functional.cross_entropy(model(x), (places[:, 0] < places[:, 1]).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
