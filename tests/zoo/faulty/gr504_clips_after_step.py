# expect: {"code": "GR504", "severity": "warning", "place": "updated"}
"""The clipping call stands after the optimizer's step, whose gradients are then cleared."""

import torch
from torch import nn

torch.manual_seed(0)
lstm, head = nn.LSTM(3, 24, batch_first=True), nn.Linear(24, 1)
parameters = [*lstm.parameters(), *head.parameters()]
optimizer = torch.optim.Adam(parameters, 1e-2)
for _ in range(150):
    x = torch.randn(16, 10, 3)
    loss = nn.functional.mse_loss(head(lstm(x)[0])[..., 0], x[..., 0] + x[..., 1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    torch.nn.utils.clip_grad_norm_(parameters, 0.1)
