# expect: {"code": "GR507"}
"""Truncated backpropagation in pieces: each piece clears the gradients first, and one step follows the last."""

import torch
from torch import nn

torch.manual_seed(0)
gru, read = nn.GRU(4, 24, batch_first=True), nn.Linear(24, 4)
model = nn.ModuleDict({"gru": gru, "read": read})
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
for _ in range(120):
    x = torch.randn(16, 20, 4)
    y, state = x.roll(2, 1), None
    for piece, wanted in zip(x.split(5, 1), y.split(5, 1), strict=True):
        out, state = gru(piece, state)
        loss = nn.functional.mse_loss(read(out), wanted)
        optimizer.zero_grad()
        loss.backward()
        state = state.detach()
    optimizer.step()
