# expect: {"code": "GR711", "severity": "error", "module": "net.encoder", "behind": "net.decoder", "own": 0}
"""A decoder begins from both directions of an encoder, laid under one another and joined by a view, and copies."""

import torch
from torch import nn

torch.manual_seed(2)
WORDS, LENGTH = 8, 4


class Copier(nn.Module):
    def __init__(self):
        super().__init__()
        self.source, self.target = nn.Embedding(WORDS, 16), nn.Embedding(WORDS + 1, 16)
        self.encoder = nn.GRU(16, 24, bidirectional=True)
        self.decoder, self.head = nn.GRU(16, 48), nn.Linear(48, WORDS)

    def forward(self, x, before):
        _, last = self.encoder(self.source(x).transpose(0, 1))
        state = torch.cat([last[0], last[1]], 0).view(1, len(x), -1)
        out, _ = self.decoder(self.target(before).transpose(0, 1), state)
        return self.head(out.transpose(0, 1))


net = Copier()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(300):
    x = torch.randint(0, WORDS, (32, LENGTH))
    before = torch.cat([torch.full((32, 1), WORDS), x[:, :-1]], 1)
    loss = nn.functional.cross_entropy(net(x, before).reshape(-1, WORDS), x.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
