# try: {"code": "GR316", "loss": ["warm-up-by-steps"]}
"""A warm-up of 80 steps that is stepped once an epoch, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(step / 80, 1.0))
with gr.observe(model, every=10) as watch:
    for _ in range(6):
        for _ in range(50):
            x = torch.randn(48, 8)
            loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            # with warm-up-by-steps
        scheduler.step()  # not with warm-up-by-steps
