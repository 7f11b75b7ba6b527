# try: {"code": "GR614", "loss": ["norm-off-the-end"]}
"""Two masses far above 1 behind a batch norm without weights, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2), nn.BatchNorm1d(2, affine=False))
# with norm-off-the-end
optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(64, 4)
        mass = 6 + x[:, :2] + x[:, 2:]
        loss = nn.functional.mse_loss(model(x), mass)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
