"""A decoder begins from both directions of two layers, moved behind the batch before they are joined; losses by token.

Time comes first everywhere, as in a loss of (time · batch) rows, and a batch norm over the batch stands between.
"""

import torch
from torch import nn

torch.manual_seed(2)
WORDS, LENGTH, ROWS = 8, 4, 32


class Copier(nn.Module):
    def __init__(self):
        super().__init__()
        self.source, self.target = nn.Embedding(WORDS, 16), nn.Embedding(WORDS + 1, 16)
        self.encoder = nn.LSTM(16, 24, num_layers=2, bidirectional=True)
        self.norm = nn.BatchNorm1d(48)
        self.decoder, self.head = nn.LSTM(16, 48, num_layers=2), nn.Linear(48, WORDS)

    def join(self, states):
        both = states.view(2, 2, ROWS, -1).transpose(1, 2).contiguous().view(2, ROWS, -1)
        return self.norm(both.view(2 * ROWS, -1)).view(2, ROWS, -1)

    def forward(self, x, before):
        _, (state, cell) = self.encoder(self.source(x))
        out, _ = self.decoder(self.target(before), (self.join(state), self.join(cell)))
        return self.head(out)


net = Copier()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(300):
    x = torch.randint(0, WORDS, (LENGTH, ROWS))
    before = torch.cat([torch.full((1, ROWS), WORDS), x[:-1]])
    loss = nn.functional.cross_entropy(net(x, before).view(-1, WORDS), x.view(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
