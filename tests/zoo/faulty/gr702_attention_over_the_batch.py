# expect: {"code": "GR702", "severity": "error", "along": "steps", "read": 1, "also": ["GR204"]}
"""A transformer encoder without batch_first is given (batch, time, features), and its last position is read."""

import torch
from torch import nn

torch.manual_seed(3)
BATCH, T = 40, 16


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.places = nn.Embedding(12, 32), nn.Parameter(0.1 * torch.randn(T, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.encoder(self.embed(x) + self.places)[:, -1])


net = Net()
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
for _ in range(220):
    x = torch.randint(4, 12, (BATCH, T))
    y = torch.randint(0, 4, (BATCH,))
    x[:, 2] = y
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
