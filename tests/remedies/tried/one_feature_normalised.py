# try: {"code": "GR207", "loss": ["norm-over-more"]}
"""A curve over one number, which a layer norm of that one makes 0, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.LayerNorm(1), nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
# with norm-over-more
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(400):
        x = torch.randn(64, 1)
        loss = nn.functional.mse_loss(model(x), torch.sin(2 * x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
