"""Sines that count the first axis, which is time, for an encoder with time first and as many rows as moments."""

import math

import torch
from torch import nn

torch.manual_seed(1)
SIZE = 16


class Sines(nn.Module):
    def __init__(self, width, longest=500):
        super().__init__()
        angle = torch.arange(longest)[:, None] * torch.exp(-math.log(1e4) * torch.arange(0, width, 2) / width)
        self.register_buffer("table", torch.stack([angle.sin(), angle.cos()], 2).flatten(1).unsqueeze(1))
        self.dropout = nn.Dropout(0.05)

    def forward(self, x):
        return self.dropout(x + self.table[: x.size(0)])


class Model(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.symbols, self.code = nn.Embedding(10, width), Sines(width)
        self.layer, self.tell = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0), nn.Linear(width, 2)

    def forward(self, ids):
        return self.tell(self.layer(self.code(0.5 * self.symbols(ids))).mean(0))


model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for _ in range(300):
    ids, where = torch.randint(2, 10, (SIZE, SIZE)), torch.rand(SIZE, SIZE).argsort(0)[:2]
    ids.scatter_(0, where, torch.tensor([[0], [1]]).expand(2, SIZE))
    loss = nn.functional.cross_entropy(model(ids), (where[0] < where[1]).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
