"""Meta-learning whose outer gradients are asked for task by task, summed by hand, and given to the optimizer."""

import torch
from torch import nn
from torch.func import functional_call

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
weights = list(net.parameters())
optimizer = torch.optim.Adam(weights, 3e-3)
for _ in range(150):
    outer = [torch.zeros_like(weight) for weight in weights]
    for _ in range(4):
        size, phase = 1 + torch.rand(()), 3 * torch.rand(())
        x, held = 4 * torch.rand(2, 10, 1) - 2
        fast = dict(net.named_parameters())
        inner = nn.functional.mse_loss(functional_call(net, fast, (x,)), size * torch.sin(x + phase))
        slopes = torch.autograd.grad(inner, list(fast.values()), create_graph=True)
        moved = {name: w - 0.1 * slope for (name, w), slope in zip(fast.items(), slopes, strict=True)}
        loss = nn.functional.mse_loss(functional_call(net, moved, (held,)), size * torch.sin(held + phase))
        outer = [total + slope for total, slope in zip(outer, torch.autograd.grad(loss, weights), strict=True)]
    for weight, slope in zip(weights, outer, strict=True):
        weight.grad = slope
    optimizer.step()
