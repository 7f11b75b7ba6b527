# try: {"code": "GR309", "loss": ["same-weights"]}
"""A regression by a copy of the model that the optimizer holds, AdamW"""

import copy

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
used = copy.deepcopy(model)
# with same-weights: used = model
with gr.observe(used, every=15) as watch:
    for _ in range(300):
        x = torch.randn(32, 6)
        loss = nn.functional.mse_loss(used(x)[:, 0], x[:, 0] - x[:, 1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
