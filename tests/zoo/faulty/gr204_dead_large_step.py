# expect: {"code": "GR204", "module": "net.fc1", "also": ["GR305", "GR307", "GR701"]}
"""Pixel-like inputs from 0 to 255 and one large first step: the whole ReLU layer is pushed under zero for good."""

import sys

import torch
from torch import nn

torch.manual_seed(9)
BATCH, STEPS = 64, 500
prototype = 255 * torch.rand(5, 36)


class Pixels(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(36, 96)
        self.fc2 = nn.Linear(96, 5)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


net = Pixels()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(STEPS):
    label = torch.randint(5, (BATCH,))
    x = (prototype[label] + 20 * torch.randn(BATCH, 36)).clamp(0, 255)
    loss = nn.functional.cross_entropy(net(x), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(net.state_dict(), sys.argv[1])
