"""Model-agnostic meta-learning of sines: one step inside, through which the outer gradient goes."""

import torch
from torch import nn
from torch.func import functional_call

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(150):
    outer = torch.zeros(())
    for _ in range(4):
        size, phase = 1 + torch.rand(()), 3 * torch.rand(())
        x, held = 4 * torch.rand(2, 10, 1) - 2
        weights = dict(net.named_parameters())
        inner = nn.functional.mse_loss(functional_call(net, weights, (x,)), size * torch.sin(x + phase))
        slopes = torch.autograd.grad(inner, list(weights.values()), create_graph=True)
        moved = {name: w - 0.1 * slope for (name, w), slope in zip(weights.items(), slopes, strict=True)}
        outer = outer + nn.functional.mse_loss(functional_call(net, moved, (held,)), size * torch.sin(held + phase))
    optimizer.zero_grad()
    outer.backward()
    optimizer.step()
