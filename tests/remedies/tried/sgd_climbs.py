# try: {"code": "GR304", "loss": ["lower-rate", "clip"]}
"""A regression whose schedule raises the rate too far, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(17)
size = torch.linspace(0.5, 4, 16)
truth = torch.randn(16, 1)
model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
lr = 0.002
# with lower-rate
optimizer = torch.optim.SGD(model.parameters(), lr=lr)
with gr.observe(model, every=5) as watch:
    for _ in range(90):
        x = torch.randn(256, 16) * size
        loss = nn.functional.mse_loss(model(x), x @ truth)
        optimizer.zero_grad()
        loss.backward()
        # with clip
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] *= 1.05
