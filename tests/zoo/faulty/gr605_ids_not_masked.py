# expect: {"code": "GR605", "severity": "warning", "module": "net.symbols", "T": 16}
"""Masked symbols of arithmetic progressions by a transformer that is given them without their mask."""

import torch
from torch import nn

torch.manual_seed(0)
SYMBOLS, LENGTH = 20, 16


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols, self.places = nn.Embedding(SYMBOLS + 1, 40), nn.Embedding(LENGTH, 40)
        layer = nn.TransformerEncoderLayer(40, 4, 80, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(40, SYMBOLS)

    def forward(self, ids):
        return self.head(self.layers(self.symbols(ids) + self.places(torch.arange(LENGTH))))


net = Masked()
optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
for _ in range(250):
    ids = (torch.randint(SYMBOLS, (32, 1)) + torch.arange(LENGTH) * torch.randint(1, 4, (32, 1))) % SYMBOLS
    asked = torch.rand(32, LENGTH) < 0.4
    masked = torch.where(asked, SYMBOLS, ids)
    loss = nn.functional.cross_entropy(net(ids).transpose(1, 2), torch.where(asked, ids, -100))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
