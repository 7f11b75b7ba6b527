# expect: {"code": "GR712", "severity": "error", "module": "net.symbols", "shape": "(20, 12)", "places": 240}
"""A tagger that brings time first for its LSTM and leaves it there, against tags with the batch first."""

import torch
from torch import nn

torch.manual_seed(0)
ROWS, LENGTH, SYMBOLS, TAGS = 20, 12, 30, 6


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols, self.lstm = nn.Embedding(SYMBOLS, 24), nn.LSTM(24, 32, bidirectional=True)
        self.tell = nn.Linear(64, TAGS)

    def forward(self, ids):
        return self.tell(self.lstm(self.symbols(ids).transpose(0, 1))[0])


net = Tagger()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
tag_of = torch.randint(0, TAGS, (SYMBOLS,))
for _ in range(300):
    ids = torch.randint(0, SYMBOLS, (ROWS, LENGTH))
    tags = (tag_of[ids] + (ids.roll(1, 1) < 3)) % TAGS
    loss = nn.functional.cross_entropy(net(ids).reshape(-1, TAGS), tags.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
