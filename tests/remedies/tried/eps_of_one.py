# try: {"code": "GR313", "loss": ["small-eps"]}
"""A curved surface by two layers, Adam with eps=1"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
eps = 1.0  # not with small-eps
# with small-eps
optimizer = torch.optim.Adam(model.parameters(), 1e-3, eps=eps)
with gr.observe(model, every=10) as watch:
    for _ in range(400):
        x = torch.randn(64, 8)
        loss = nn.functional.mse_loss(model(x), torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
