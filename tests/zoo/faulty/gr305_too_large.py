# expect: {"code": "GR305", "also": ["GR203"]}
"""Adam at a rate of 1, as one would set it for SGD: every step replaces the weights."""

import sys

import torch
from torch import nn

torch.manual_seed(18)
BATCH, STEPS = 64, 400
mixing = torch.randn(20, 6)
model = nn.Sequential(nn.Linear(20, 96), nn.Tanh(), nn.Linear(96, 96), nn.Tanh(), nn.Linear(96, 6))
optimizer = torch.optim.Adam(model.parameters(), lr=1.0)
for step in range(STEPS):
    x = torch.randn(BATCH, 20)
    loss = nn.functional.cross_entropy(model(x), (x @ mixing).argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
