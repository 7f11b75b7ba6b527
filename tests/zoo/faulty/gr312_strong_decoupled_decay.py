# expect: {"code": "GR312", "severity": "error"}
"""A GRU under AdamW with a weight decay of 25: of what the weights held a quarter is gone after 6 steps."""

import torch
from torch import nn

torch.manual_seed(5)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(12, 24)
        self.rnn = nn.GRU(24, 40, batch_first=True)
        self.head = nn.Linear(40, 12)

    def forward(self, tokens):
        return self.head(self.rnn(self.embed(tokens))[0])


reader = Reader()
optimizer = torch.optim.AdamW(reader.parameters(), lr=2e-3, weight_decay=25.0)
for _ in range(350):
    tokens = torch.randint(0, 12, (16, 10))
    before = torch.cat([tokens[:, :1], tokens[:, :-1]], 1)
    loss = nn.functional.cross_entropy(reader(tokens).transpose(1, 2), before)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
    optimizer.step()
