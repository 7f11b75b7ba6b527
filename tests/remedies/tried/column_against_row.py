# try: {"code": "GR601", "loss": ["match-shapes"]}
"""A column of outputs against a row of targets, squared by hand, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        x = torch.randn(64, 5)
        target = 2 * x[:, 0] + x[:, 1]
        output = model(x)
        # with match-shapes
        loss = ((output - target) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
