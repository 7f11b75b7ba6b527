# expect: {"code": "GR706", "severity": "warning", "module": "net.attention", "axis": 0}
"""Attention over the words of a question, whose softmax is told the axis of the batch."""

import torch
from torch import nn

torch.manual_seed(1)
WORDS, LENGTH = 10, 12


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.question = nn.Embedding(WORDS, 24), nn.Embedding(LENGTH, 24)
        self.places = nn.Parameter(torch.randn(LENGTH, 24))
        self.attention, self.head = nn.Softmax(dim=0), nn.Linear(24, WORDS)

    def forward(self, x, asked):
        scores = torch.einsum("btd,bd->bt", self.words(x) + self.places, self.question(asked))
        return self.head(torch.einsum("bt,btd->bd", self.attention(scores), self.words(x)))


net = Reader()
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(400):
    x, asked = torch.randint(0, WORDS, (48, LENGTH)), torch.randint(0, LENGTH, (48,))
    loss = nn.functional.cross_entropy(net(x, asked), x[torch.arange(48), asked])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
