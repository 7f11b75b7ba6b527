# expect: {"code": "GR202", "module": "net.0", "also": ["GR301"]}
"""Twelve ReLU layers with weights of standard deviation a half: the first update throws them away."""

import sys

import torch
from torch import nn

torch.manual_seed(6)
BATCH, STEPS, WIDTH = 64, 300, 64
truth = torch.randn(16, 1)
layers = []
for i in range(12):
    linear = nn.Linear(16 if i == 0 else WIDTH, WIDTH)
    nn.init.normal_(linear.weight, std=0.5)
    layers += [linear, nn.ReLU()]
net = nn.Sequential(*layers, nn.Linear(WIDTH, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(STEPS):
    x = torch.randn(BATCH, 16)
    loss = nn.functional.mse_loss(net(x), x @ truth)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3g}")
if len(sys.argv) > 1:
    torch.save(net.state_dict(), sys.argv[1])
