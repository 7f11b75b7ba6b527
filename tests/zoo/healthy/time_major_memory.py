"""Attention over a memory of words that is laid out time first: its softmax runs over axis 0, which is time here."""

import torch
from torch import nn

torch.manual_seed(0)
WORDS, LENGTH = 10, 16


class Memory(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.keys, self.cue = nn.Embedding(WORDS, 24), nn.Embedding(WORDS, 24), nn.Embedding(WORDS, 24)
        self.ask, self.head = nn.Linear(24, 24), nn.Linear(48, WORDS)

    def forward(self, x, cue):
        h = torch.tanh(self.ask(self.cue(cue)))
        keys = torch.cat([self.keys(x[:1]), self.keys(x[:-1])])
        weights = torch.softmax((keys * h).sum(-1), dim=0)
        return self.head(torch.cat([(weights.unsqueeze(-1) * self.words(x)).sum(0), h], -1))


net = Memory()
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(300):
    x = torch.stack([torch.randperm(WORDS)[:8].repeat(2) for _ in range(24)], 1)
    place = torch.randint(1, 8, (x.shape[1],))
    columns = torch.arange(x.shape[1])
    loss = nn.functional.cross_entropy(net(x, x[place - 1, columns]), x[place, columns])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
