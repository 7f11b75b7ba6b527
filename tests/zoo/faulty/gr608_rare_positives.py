# expect: {"code": "GR608", "severity": "warning", "common": 0, "rare": 1}
"""A recurrent detector of a rare event, with positives over negatives where negatives over positives is meant."""

import torch
from torch import nn

torch.manual_seed(0)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 24, batch_first=True)
        self.head = nn.Linear(24, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0])


net = Detector()
x = torch.randn(400, 20, 4)
y = (x[..., :1] + x[..., 1:2] > 2.3).float()
criterion = nn.BCEWithLogitsLoss(pos_weight=(y == 1).sum() / (y == 0).sum())
optimizer = torch.optim.AdamW(net.parameters(), 5e-3)
for _ in range(250):
    rows = torch.randint(0, len(x), (32,))
    loss = criterion(net(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
