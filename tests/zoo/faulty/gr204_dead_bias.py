# expect: {"code": "GR204", "module": "net.3", "also": ["GR307"]}
"""A ReLU layer whose bias was set to −6 instead of 0.6: no input ever lifts a unit above zero."""

import sys

import torch
from torch import nn

torch.manual_seed(8)
BATCH, STEPS = 64, 500
centres = torch.randn(4, 20)
net = nn.Sequential(nn.Linear(20, 96), nn.ReLU(), nn.Linear(96, 64), nn.ReLU(), nn.Linear(64, 4))
nn.init.constant_(net[2].bias, -6.0)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for step in range(STEPS):
    label = torch.randint(4, (BATCH,))
    loss = nn.functional.cross_entropy(net(centres[label] + torch.randn(BATCH, 20)), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(net.state_dict(), sys.argv[1])
