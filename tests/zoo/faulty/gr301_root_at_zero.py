# expect: {"code": "GR301", "module": "model.distance", "phase": "backward", "step": 83, "cause": "root at zero"}
"""Siamese distance by a bare square root; step 83 holds a pair of equal inputs, where the root has no slope."""

import sys

import torch
from torch import nn

torch.manual_seed(11)
BATCH, STEPS = 512, 130


class Distance(nn.Module):
    def forward(self, a, b):
        return ((a - b) ** 2).sum(1).sqrt()


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(20, 384), nn.ReLU(), nn.Linear(384, 384), nn.ReLU(), nn.Linear(384, 16))
        self.distance = Distance()

    def forward(self, a, b):
        return self.distance(self.embed(a), self.embed(b))


model = Siamese()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    a, b = torch.randn(BATCH, 20), torch.randn(BATCH, 20)
    if step == 83:
        b[7] = a[7]
    loss = nn.functional.mse_loss(model(a, b), (a - b)[:, :5].norm(dim=1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
