# expect: {"code": "GR607", "severity": "warning", "module": "model.embed", "fan_in": 96}
"""A language model whose output is tied to an embedding that starts as torch makes it, from N(0, 1)."""

import torch
from torch import nn

torch.manual_seed(6)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(60, 96)
        self.rnn = nn.GRU(96, 96, batch_first=True)
        self.norm = nn.LayerNorm(96)
        self.head = nn.Linear(96, 60)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        x = self.embed(tokens)
        return self.head(self.norm(x + self.rnn(x)[0]))


model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for _ in range(300):
    text = (torch.randint(60, (16, 1)) + 7 * torch.arange(13)) % 60
    loss = nn.functional.cross_entropy(model(text[:, :-1]).transpose(1, 2), text[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
