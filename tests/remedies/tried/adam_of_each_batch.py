# try: {"code": "GR511", "loss": ["make-optimizer-once"]}
"""A regression by an MLP, in a loop that makes its Adam for each batch"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 1))
# with make-optimizer-once
with gr.observe(model, every=10) as watch:
    for _ in range(400):
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)  # not with make-optimizer-once
        x = torch.randn(32, 6)
        loss = nn.functional.mse_loss(model(x)[:, 0], torch.sin(x[:, 0]) + x[:, 1] - x[:, 2])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
