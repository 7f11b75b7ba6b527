# expect: {"code": "GR713", "severity": "error", "module": "model.code", "rows": 24, "places": 16, "axis": 0}
"""The value at a marked moment's neighbour, by an encoder with the batch first and sines that count time first."""

import math

import torch
from torch import nn

torch.manual_seed(1)


class Sines(nn.Module):
    def __init__(self, width, longest=500):
        super().__init__()
        angle = torch.arange(longest)[:, None] * torch.exp(-math.log(1e4) * torch.arange(0, width, 2) / width)
        table = torch.stack([angle.sin(), angle.cos()], 2).flatten(1)
        self.register_buffer("table", table.unsqueeze(1))
        self.dropout = nn.Dropout(0.05)

    def forward(self, x):
        return self.dropout(x + self.table[: x.size(0)])


class Model(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.take, self.code = nn.Linear(2, width), Sines(width)
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True)
        self.encoder, self.tell = nn.TransformerEncoder(layer, 2), nn.Linear(width, 1)

    def forward(self, x):
        return self.tell(self.encoder(self.code(self.take(x))).mean(1)).squeeze(1)


model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(300):
    values, marked = torch.randn(24, 16), torch.randint(1, 16, (24, 1))
    x = torch.stack([values, torch.zeros(24, 16).scatter(1, marked, 1.0)], 2)
    loss = nn.functional.mse_loss(model(x), values.gather(1, marked - 1).squeeze(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
