# expect: {"code": "GR202", "severity": "error", "module": "model.0", "also": ["GR309"]}
"""Twelve ReLU layers whose weights are three times too large, at a rate so small that nothing moves or breaks."""

import sys

import torch
from torch import nn

torch.manual_seed(3)
layers = []
for _ in range(12):
    linear = nn.Linear(40, 40)
    nn.init.normal_(linear.weight, std=4.5 / 40**0.5)
    layers += [linear, nn.ReLU()]
model = nn.Sequential(*layers, nn.Linear(40, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-30)
for step in range(150):
    x, y = torch.randn(32, 40), torch.randn(32, 1)
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == 149:
        print(f"step {step} loss {loss.item():.3g}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
