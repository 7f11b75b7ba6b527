# expect: {"code": "GR107", "module": "gru"}
"""A GRU is run over a sequence one step at a time, and never given the state that it returned."""

import torch
from torch import nn

torch.manual_seed(0)
gru, read = nn.GRU(3, 24, batch_first=True), nn.Linear(24, 1)
model = nn.ModuleDict({"gru": gru, "read": read})
optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
for _ in range(200):
    x = torch.randn(32, 12, 3)
    y = x[..., :1].cumsum(1) / 3
    guessed = [read(gru(x[:, t : t + 1])[0]) for t in range(12)]
    loss = nn.functional.mse_loss(torch.cat(guessed, 1), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
