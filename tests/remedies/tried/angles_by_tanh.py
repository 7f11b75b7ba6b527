# try: {"code": "GR603", "loss": ["linear-end", "scale-target"]}
"""Angles from −π to π out of a tanh, absolute errors, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 1), nn.Tanh())
# with linear-end
optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(400):
        target = 3.1 * (2 * torch.rand(64, 1) - 1)
        x = target + 0.2 * torch.randn(64, 2)
        # with scale-target: target = target / 3.2
        loss = (model(x) - target).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
