# expect: {"code": "GR306", "severity": "error"}
"""Tasks that are learned by copies of a model, which are moved through `.data`: the model itself is left out."""

import copy

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
for _ in range(200):
    losses = []
    for _ in range(3):
        size, phase = 0.5 + 2 * torch.rand(()), 3 * torch.rand(())
        x = 6 * torch.rand(16, 1) - 3
        y = size * torch.sin(x - phase)
        adapted = copy.deepcopy(net)
        near = nn.functional.mse_loss(adapted(x[:8]), y[:8])
        for parameter, gradient in zip(
            adapted.parameters(), torch.autograd.grad(near, list(adapted.parameters())), strict=True
        ):
            parameter.data -= 0.05 * gradient
        losses.append(nn.functional.mse_loss(adapted(x[8:]), y[8:]))
    optimizer.zero_grad()
    torch.stack(losses).mean().backward()
    optimizer.step()
