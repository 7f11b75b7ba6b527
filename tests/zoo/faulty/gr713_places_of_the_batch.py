# expect: {"code": "GR713", "module": "reader", "rows": 40, "places": 9, "axis": 0}
"""Which of two marks comes first, by attention whose places are counted over the batch."""

import torch
from torch import nn

torch.manual_seed(0)
ROWS, LENGTH, SYMBOLS = 40, 9, 12


class Reader(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.symbols, self.places = nn.Embedding(SYMBOLS, width), nn.Embedding(100, width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.tell = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, ids):
        count = torch.arange(len(ids))
        h = self.symbols(ids) + self.places(count)[:, None]
        return self.tell((h + self.attention(h, h, h, need_weights=False)[0]).mean(1))


reader = Reader()
optimizer = torch.optim.Adam(reader.parameters(), lr=2e-3)
for _ in range(300):
    ids = torch.randint(2, SYMBOLS, (ROWS, LENGTH))
    where = torch.rand(ROWS, LENGTH).argsort(1)[:, :2]
    ids.scatter_(1, where, torch.tensor([0, 1]).repeat(ROWS, 1))
    loss = nn.functional.cross_entropy(reader(ids), (where[:, 0] < where[:, 1]).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
