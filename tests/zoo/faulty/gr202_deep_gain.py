# expect: {"code": "GR202", "module": "net.0", "also": ["GR302", "GR307"]}
"""Two dozen tanh layers with weights eight times too large: the gradient grows towards the input, to no use."""

import sys

import torch
from torch import nn

torch.manual_seed(5)
BATCH, STEPS, WIDTH = 64, 300, 64
mixing = torch.randn(16, 6)
layers = []
for i in range(24):
    linear = nn.Linear(16 if i == 0 else WIDTH, WIDTH)
    nn.init.normal_(linear.weight, std=8 / linear.in_features**0.5)
    layers += [linear, nn.Tanh()]
net = nn.Sequential(*layers, nn.Linear(WIDTH, 6))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
for step in range(STEPS):
    x = torch.randn(BATCH, 16)
    loss = nn.functional.cross_entropy(net(x), (x @ mixing).argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(net.state_dict(), sys.argv[1])
