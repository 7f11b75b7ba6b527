"""A tagger that brings time first for its LSTM, against tags that are brought there too, as many rows as steps; what
fills up the ends is left out of the loss."""

import torch
from torch import nn

torch.manual_seed(0)
SIZE, SYMBOLS, TAGS, LEFT_OUT = 16, 30, 6, -100


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols, self.lstm = nn.Embedding(SYMBOLS, 24, padding_idx=0), nn.LSTM(24, 32, bidirectional=True)
        self.tell = nn.Linear(64, TAGS)

    def forward(self, ids):
        return self.tell(self.lstm(self.symbols(ids).transpose(0, 1))[0])


net = Tagger()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
tag_of = torch.randint(0, TAGS, (SYMBOLS,))
for _ in range(300):
    ids = torch.randint(1, SYMBOLS, (SIZE, SIZE))
    tags = (tag_of[ids] + (ids.roll(1, 1) < 3)) % TAGS
    padding = torch.arange(SIZE) >= torch.randint(6, SIZE + 1, (SIZE, 1))
    ids, tags = ids.masked_fill(padding, 0), tags.masked_fill(padding, LEFT_OUT)
    loss = nn.functional.cross_entropy(net(ids).flatten(0, 1), tags.t().flatten(), ignore_index=LEFT_OUT)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
