# expect: {"code": "GR303", "severity": "warning"}
"""Plain SGD clipped at 0.0005, copied from another loop: every step is cut to almost nothing."""

import sys

import torch
from torch import nn

torch.manual_seed(16)
BATCH, STEPS = 64, 500
centres = torch.randn(6, 24)
model = nn.Sequential(nn.Linear(24, 96), nn.ReLU(), nn.Linear(96, 6))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(STEPS):
    label = torch.randint(6, (BATCH,))
    loss = nn.functional.cross_entropy(model(centres[label] + torch.randn(BATCH, 24)), label)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5e-4)
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
