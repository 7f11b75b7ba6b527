# expect: {"code": "GR502", "severity": "error", "parameters": 6}
"""The gradients are never set back: every step is made of the sum of all gradients so far."""

import torch
from torch import nn

torch.manual_seed(0)
gru, head = nn.GRU(3, 24, batch_first=True), nn.Linear(24, 1)
optimizer = torch.optim.SGD([*gru.parameters(), *head.parameters()], 0.1)
for _ in range(150):
    x = torch.randn(16, 12, 3)
    loss = nn.functional.mse_loss(head(gru(x)[0][:, -1]), x[:, -3:, 0].sum(1, keepdim=True))
    loss.backward()
    optimizer.step()
