# expect: {"code": null}
"""Adversarial training: a pass for the input's own gradient comes before each pass that trains."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 3))
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
for _ in range(300):
    x = torch.randn(64, 12, requires_grad=True)
    y = x[:, :3].detach().argmax(1)
    for attacked in (True, False):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        if attacked:
            x = (x + 0.05 * x.grad.sign()).detach()
    optimizer.step()
