"""Three tasks over one body: the gradient of each is asked for, parts in conflict are taken out, the rest is summed."""

import torch
from torch import nn

torch.manual_seed(0)
body = nn.Sequential(nn.Linear(8, 32), nn.Tanh())
heads = nn.ModuleList([nn.Linear(32, 1) for _ in range(3)])
weights = [*body.parameters(), *heads.parameters()]
optimizer = torch.optim.Adam(weights, 2e-3)
mixing = torch.randn(8, 3)
for _ in range(300):
    x = torch.randn(64, 8)
    hidden, targets = body(x), torch.tanh(x @ mixing)
    losses = [(head(hidden)[:, 0] - targets[:, task]).square().mean() for task, head in enumerate(heads)]
    flat = []
    for loss in losses:
        asked = torch.autograd.grad(loss, weights, retain_graph=True, materialize_grads=True)
        flat.append(torch.cat([slope.flatten() for slope in asked]))
    total = torch.zeros_like(flat[0])
    for mine in flat:
        left = mine
        for other in flat:
            left = left - other * (left @ other).clamp(max=0) / other.square().sum()
        total += left
    for weight, part in zip(weights, total.split([weight.numel() for weight in weights]), strict=True):
        weight.grad = part.view_as(weight)
    optimizer.step()
