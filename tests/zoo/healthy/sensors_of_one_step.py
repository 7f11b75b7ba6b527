# expect: {"code": null}
"""A GRU cell goes over a sequence for each of three sensors in turn, its state handed on, from zeros each time."""

import torch
from torch import nn

torch.manual_seed(0)
cell, read = nn.GRUCell(2, 16), nn.Linear(48, 3)
model = nn.ModuleDict({"cell": cell, "read": read})
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
for _ in range(300):
    x = torch.randn(24, 3, 6, 2)
    last = []
    for sensor in range(3):
        h = torch.zeros(24, 16)
        for t in range(6):
            h = cell(x[:, sensor, t], h)
        last.append(h)
    loss = nn.functional.mse_loss(read(torch.cat(last, 1)), x[..., 0].mean(2))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
