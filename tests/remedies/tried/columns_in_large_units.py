# try: {"code": "GR701", "loss": ["scale-input"]}
"""A regression from lengths in kilometres that are some metres, RMSprop"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(1)
model = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(400):
        metres = 3 * torch.randn(64, 5)
        x = metres / 1000
        # with scale-input
        loss = nn.functional.mse_loss(model(x)[:, 0], torch.sin(metres[:, 0]) + metres[:, 1] / 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
