# try: {"code": "GR306", "loss": ["same-weights"]}
"""Waves of many phases, each by a copy of the model that takes one step of its own, Adam"""

import copy

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)


def of_task(x, y):
    weights = dict(copy.deepcopy(model).named_parameters())
    # with same-weights: weights = dict(model.named_parameters())
    near = nn.functional.mse_loss(torch.func.functional_call(model, weights, (x[:8],)), y[:8])
    steps = torch.autograd.grad(near, list(weights.values()))
    weights = {name: w - 0.05 * g for (name, w), g in zip(weights.items(), steps, strict=True)}
    return nn.functional.mse_loss(torch.func.functional_call(model, weights, (x[8:],)), y[8:])


with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = 6 * torch.rand(4, 16, 1) - 3
        y = (1 + torch.rand(4, 1, 1)) * torch.sin(x + 1 + 0.5 * torch.rand(4, 1, 1))
        loss = sum(map(of_task, x, y)) / 4
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
