# try: {"code": "GR701", "loss": ["scale-target"]}
"""A regression of prices of about 250,000, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(3)
model = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
target_mean, target_std = 250_000.0, 41_000.0
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randn(64, 5)
        target = 250_000 + 40_000 * x[:, :1] - 10_000 * x[:, 1:2]
        # with scale-target
        loss = nn.functional.mse_loss(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
