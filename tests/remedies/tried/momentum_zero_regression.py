# try: {"code": "GR311", "cost": ["follow-batches"]}
"""A regression of rows far from 0 by a network whose batch norm was given momentum 0, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(4)
model = nn.Sequential(nn.Linear(6, 24), nn.BatchNorm1d(24, momentum=0.0), nn.ReLU(), nn.Linear(24, 1))
# with follow-batches
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = 5 + torch.randn(48, 6)
        loss = nn.functional.mse_loss(model(x), (x - 5).prod(1, keepdim=True).tanh())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
