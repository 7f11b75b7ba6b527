# try: {"code": "GR305", "loss": ["average-passes"]}
"""A ReLU network whose eight micro-batches are summed for each update, which no longer fits the rate, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
n = 8
model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.12)
weights = torch.randn(16)
with gr.observe(model, every=5) as watch:
    for _ in range(200):
        optimizer.zero_grad()
        for _ in range(n):
            x = torch.randn(8, 16)
            loss = nn.functional.mse_loss(model(x), 2 * torch.sin(x @ weights)[:, None])
            # with average-passes
            loss.backward()
        optimizer.step()
