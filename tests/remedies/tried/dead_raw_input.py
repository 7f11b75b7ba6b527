# try: {"code": "GR204", "loss": ["scale-input"]}
"""A classifier of raw bytes whose ReLU layer the first step pushes below zero, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(9)
prototype = 255 * torch.rand(5, 36)
model = nn.Sequential(nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 5))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        y = torch.randint(5, (64,))
        x = (prototype[y] + 20 * torch.randn(64, 36)).clamp(0, 255)
        # with scale-input
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
