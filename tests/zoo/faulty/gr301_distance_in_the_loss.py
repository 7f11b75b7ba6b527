# expect: {"code": "GR301", "phase": "backward", "cause": "root at zero", "operation": "sqrt", "step": 97}
"""A margin loss on distances between embeddings, in the script's own function; batch 97 pairs a sample with itself."""

import sys

import torch
from torch import nn

torch.manual_seed(24)
BATCH, STEPS = 512, 130


def margin_loss(a, b, alike):
    distance = torch.sqrt((a - b).square().sum(1))
    return torch.where(alike, distance, nn.functional.relu(1 - distance)).mean()


model = nn.Sequential(nn.Linear(20, 384), nn.ReLU(), nn.Linear(384, 384), nn.ReLU(), nn.Linear(384, 8))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
for step in range(STEPS):
    a, b = torch.randn(BATCH, 20), torch.randn(BATCH, 20)
    if step == 97:
        b[200] = a[200]
    alike = a[:, 0] * b[:, 0] > 0
    loss = margin_loss(model(a), model(b), alike)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
