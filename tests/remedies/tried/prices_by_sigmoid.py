# try: {"code": "GR603", "loss": ["linear-end", "scale-target"]}
"""Prices far above 1 out of a sigmoid, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 1), nn.Sigmoid())
# with linear-end
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
with gr.observe(model, every=15) as watch:
    for _ in range(400):
        x = torch.randn(64, 4)
        target = 4 + 2 * torch.tanh(x[:, :1])
        # with scale-target: target = (target - 2) / 4
        loss = nn.functional.mse_loss(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
