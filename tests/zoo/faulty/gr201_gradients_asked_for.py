# expect: {"code": "GR201", "module": "net.0"}
"""Twelve logistic layers, whose gradients are asked for and handed to SGD: backward is never called."""

import sys

import torch
from torch import nn

torch.manual_seed(5)
BATCH, STEPS = 64, 400
centres = 1.5 * torch.randn(5, 20)
layers = [nn.Linear(20, 40), nn.Sigmoid()]
for _ in range(11):
    layers += [nn.Linear(40, 40), nn.Sigmoid()]
net = nn.Sequential(*layers, nn.Linear(40, 5))
weights = list(net.parameters())
optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9)
for step in range(STEPS):
    label = torch.randint(5, (BATCH,))
    x = centres[label] + torch.randn(BATCH, 20)
    loss = nn.functional.cross_entropy(net(x), label)
    slopes = torch.autograd.grad(loss, weights)
    for weight, slope in zip(weights, slopes, strict=True):
        weight.grad = slope
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(net.state_dict(), sys.argv[1])
