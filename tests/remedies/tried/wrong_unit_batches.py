# try: {"code": "GR302", "loss": ["clip", "look-at-batch"]}
"""A regression one batch in forty of which holds targets in the wrong unit, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(15)
teacher = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 1)).requires_grad_(False)
model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
with gr.observe(model, every=10) as watch:
    for step in range(300):
        x = torch.randn(64, 12)
        y = teacher(x)
        if step % 40 == 30:
            y[:4] = 1000 * y[:4]
        # with look-at-batch
        # with look-at-batch: x, y = x[y.squeeze(1).abs() < 10], y[y.squeeze(1).abs() < 10]
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        # with clip
        optimizer.step()
