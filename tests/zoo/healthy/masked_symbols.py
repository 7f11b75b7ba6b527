"""Masked symbols by a transformer, as BERT has them: of those asked one in ten is left as it is, one in ten another."""

import torch
from torch import nn

torch.manual_seed(0)
SYMBOLS, LENGTH = 20, 16


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols, self.places = nn.Embedding(SYMBOLS + 1, 48), nn.Embedding(LENGTH, 48)
        layer = nn.TransformerEncoderLayer(48, 4, 96, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(48, SYMBOLS)

    def forward(self, ids):
        return self.head(self.layers(self.symbols(ids) + self.places(torch.arange(LENGTH))))


net = Masked()
optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
for _ in range(400):
    ids = (torch.randint(SYMBOLS, (32, 1)) + torch.arange(LENGTH)) % SYMBOLS
    asked, chance = torch.rand(32, LENGTH) < 0.3, torch.rand(32, LENGTH)
    given = torch.where(asked & (chance < 0.8), SYMBOLS, ids)
    given = torch.where(asked & (chance > 0.9), torch.randint(SYMBOLS, ids.shape), given)
    loss = nn.functional.cross_entropy(net(given).transpose(1, 2), torch.where(asked, ids, -100))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
