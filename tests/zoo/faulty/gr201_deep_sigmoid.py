# expect: {"code": "GR201", "module": "net.0"}
"""Ten logistic layers, one after the other, with SGD: each multiplies the gradient by less than a quarter."""

import sys

import torch
from torch import nn

torch.manual_seed(3)
BATCH, STEPS = 64, 400
centres = 1.5 * torch.randn(5, 24)
layers = [nn.Linear(24, 48), nn.Sigmoid()]
for _ in range(9):
    layers += [nn.Linear(48, 48), nn.Sigmoid()]
net = nn.Sequential(*layers, nn.Linear(48, 5))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
for step in range(STEPS):
    label = torch.randint(5, (BATCH,))
    x = centres[label] + torch.randn(BATCH, 24)
    loss = nn.functional.cross_entropy(net(x), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(net.state_dict(), sys.argv[1])
